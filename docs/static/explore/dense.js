// Small dense nets, computed in the page: enough to follow a signal forward and its gradient back.
//
// A signal, and a gradient, is a Float64Array of BATCH rows (inputs) of WIDTH numbers (features).
// A layer is {forward, backward}: forward takes a signal, returns the next, and remembers what
// backward needs, which takes the gradient at the layer's output and returns that at its input.

export const BATCH = 64, WIDTH = 32;
export const HE = Math.sqrt(2 / WIDTH);  // the standard deviation of He's weights

/** So many normal random numbers (mean 0, variance 1), the same for the same seed. */
export function normal(count, seed) {
    const next = uniform(seed), numbers = new Float64Array(count);
    for (let i = 0; i < count; i += 2) {  // by Box and Muller, a pair at a time
        const radius = Math.sqrt(-2 * Math.log(1 - next())), angle = 2 * Math.PI * next();
        numbers[i] = radius * Math.cos(angle);
        numbers[i + 1] = radius * Math.sin(angle);
    }
    return numbers;
}

/** A function that returns random numbers between 0 and 1 (the generator mulberry32). */
function uniform(seed) {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), state | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    };
}

const drawn = [];

/** The number-th matrix of normal random numbers, drawn once: all nets have the same ones. */
export function matrix(number) {
    drawn[number] ??= normal(WIDTH * WIDTH, number + 1);
    return drawn[number];
}

/** A signal, and a gradient, to begin with: normal random numbers. */
export const firstSignal = () => normal(BATCH * WIDTH, 1001);
export const lastGradient = () => normal(BATCH * WIDTH, 1002);

/** x W, where W is `scale` times the weights. */
function dense(weights, scale) {
    const turned = transposed(weights);
    return {forward: (x) => product(x, turned, scale), backward: (g) => product(g, weights, scale)};
}

/** x times the transposed matrix, times a number. */
function product(x, weights, scale) {
    const result = new Float64Array(x.length);
    for (let row = 0; row < x.length; row += WIDTH) {
        for (let column = 0; column < WIDTH; column += 4) {  // four sums at a time are faster
            let a = 0, b = 0, c = 0, d = 0;
            for (let j = row, w = column * WIDTH; j < row + WIDTH; j += 1, w += 1) {
                a += x[j] * weights[w];
                b += x[j] * weights[w + WIDTH];
                c += x[j] * weights[w + 2 * WIDTH];
                d += x[j] * weights[w + 3 * WIDTH];
            }
            result[row + column] = scale * a;
            result[row + column + 1] = scale * b;
            result[row + column + 2] = scale * c;
            result[row + column + 3] = scale * d;
        }
    }
    return result;
}

function transposed(weights) {
    return weights.map((_, i) => weights[(i % WIDTH) * WIDTH + Math.floor(i / WIDTH)]);
}

function fill(value) {
    const result = new Float64Array(BATCH * WIDTH);
    for (let i = 0; i < result.length; i += 1) result[i] = value(i);
    return result;
}

/** A function of each number alone; its slope is taken from its output. */
function activation(f, slope) {
    let output;
    return {
        forward(x) {
            output = fill((i) => f(x[i]));
            return output;
        },
        backward: (g) => fill((i) => g[i] * slope(output[i])),
    };
}

/** Each feature minus its mean over the batch, divided by its standard deviation. */
function batchNorm() {
    let output;
    const deviations = new Float64Array(WIDTH);
    return {
        forward(x) {
            output = new Float64Array(x.length);
            for (let feature = 0; feature < WIDTH; feature += 1) {
                const mean = meanOver(feature, (i) => x[i]);
                const deviation = Math.sqrt(meanOver(feature, (i) => (x[i] - mean) ** 2));
                deviations[feature] = deviation;
                for (let i = feature; i < x.length; i += WIDTH) output[i] = (x[i] - mean) / deviation;
            }
            return output;
        },
        // The mean and the deviation, too, depend on x: hence the two terms that are subtracted.
        backward(g) {
            const result = new Float64Array(g.length);
            for (let feature = 0; feature < WIDTH; feature += 1) {
                const mean = meanOver(feature, (i) => g[i]);
                const along = meanOver(feature, (i) => g[i] * output[i]);
                for (let i = feature; i < g.length; i += WIDTH) {
                    result[i] = (g[i] - mean - along * output[i]) / deviations[feature];
                }
            }
            return result;
        },
    };
}

function meanOver(feature, value) {
    let sum = 0;
    for (let i = feature; i < BATCH * WIDTH; i += WIDTH) sum += value(i);
    return sum / BATCH;
}

/** Layers one behind the other. */
function chain(layers) {
    return {forward: (x) => layers.reduce((signal, layer) => layer.forward(signal), x),
            backward: (g) => layers.reduceRight((gradient, layer) => layer.backward(gradient), g)};
}

/** after(factor x + branch(x)): without a shortcut the factor is 0. */
function block(branch, after, factor) {
    const sum = (a, b) => fill((i) => a[i] + factor * b[i]);
    return {forward: (x) => after.forward(sum(branch.forward(x), x)),
            backward(g) {
                const gradient = after.backward(g);
                return sum(branch.backward(gradient), gradient);
            }};
}

/**
 * A net of so many blocks. branch, after: their layers, such as 'dense BN ReLU', '' for none.
 * factor: what the shortcut multiplies by. scale: the weights' standard deviation.
 */
export function net(count, {branch, after = '', factor = 1, scale = HE}) {
    let used = 0;
    const layers = {
        dense: () => { used += 1; return dense(matrix(used - 1), scale); },
        BN: batchNorm,
        ReLU: () => activation((x) => Math.max(x, 0), (y) => y > 0 ? 1 : 0),
        tanh: () => activation(Math.tanh, (y) => 1 - y * y),
    };
    const made = (words) => chain(words.split(' ').filter(Boolean).map((word) => layers[word]()));
    return Array.from({length: count}, () => block(made(branch), made(after), factor));
}

/** The mean square of the signal in front of each block and behind the last. */
export function forward(blocks) {
    const signals = [firstSignal()];
    for (const each of blocks) signals.push(each.forward(signals.at(-1)));
    return signals.map(meanSquare);
}

/** The mean square of the gradient at the same places, once the signal has passed the blocks. */
export function backward(blocks) {
    const gradients = [lastGradient()];
    for (const each of [...blocks].reverse()) gradients.push(each.backward(gradients.at(-1)));
    return gradients.map(meanSquare).reverse();
}

function meanSquare(values) {
    return values.reduce((sum, value) => sum + value * value, 0) / values.length;
}
