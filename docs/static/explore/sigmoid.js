// Notebook 01, figure 1: how the gradient of a chain of sigmoids shrinks or grows.

import {choice, element, short, slider, spoken, svg} from './controls.js';
import {plot, powersOfTen} from './plot.js';

const WORDS = {
    en: {attempt: 'Try: how do you make the gradient grow? Is a larger w enough?',
         depth: 'neurons in the chain', weight: 'weight w', bias: 'bias', none: 'no bias',
         centred: 'centred, b = −w/2', x: 'layers back from the output', y: 'gradient',
         say: (depth, all, factor, z) =>
             `Back through ${depth} ${depth === 1 ? 'layer' : 'layers'} the gradient is multiplied by `
             + `${all}. The last neuron sits at z = ${z}, where a layer multiplies by ${factor}.`,
         bound: 'the bound: × |w|/4 a layer (reached if b = −w/2)', slope: 'slope σ′(z)',
         source: 'Computed here in the page, as for figure 1.'},
    zh: {attempt: '试一试：怎样让梯度增大？只把 w 调大，够吗？',
         depth: '链上的神经元数', weight: '权重 w', bias: '偏置', none: '没有偏置',
         centred: '居中，b = −w/2', x: '从输出往回数的层数', y: '梯度',
         say: (depth, all, factor, z) =>
             `往回传 ${depth} 层，梯度共乘以 ${all}。最后一个神经元停在 z = ${z}，这样的一层乘以 ${factor}。`,
         bound: '上界：每层乘以 |w|/4（居中时正好达到）', slope: '斜率 σ′(z)',
         source: '由本页当场算出，算法与图 1 相同。'},
};

/** The gradient by layers back from the output, and the last neuron's z; as in the notebook. */
export function chain(w, depth, centred) {
    const factors = [];
    let a = 0.5, z = 0;
    for (let layer = 0; layer < depth; layer += 1) {
        z = w * a + (centred ? -w / 2 : 0);
        a = 1 / (1 + Math.exp(-z));
        factors.unshift(Math.abs(w) * a * (1 - a));
    }
    const gradient = [1];
    for (const factor of factors) gradient.push(gradient.at(-1) * factor);
    return {gradient, z};
}

/** The sigmoid's slope at z. */
function steepness(z) {
    const a = 1 / (1 + Math.exp(-z));
    return a * (1 - a);
}

const STEPS = Array.from({length: 91}, (_, i) => i / 5 - 9);
// The longest chain and the largest weight, for which the axes have room.
const DEEPEST = 30, LARGEST = 8;

/** A tick at a number, with a true minus sign. */
function tick(number) {
    return [number, String(number).replace('-', '−')];
}

/** A word, and the derivative of the last activation by that of layer l. */
function derivative(word) {
    const lowered = (text) => svg('tspan', {'dy': 4, 'font-size': 11}, text);
    const raised = (text) => svg('tspan', {dy: -4}, text);
    return svg('tspan', {}, `${word} |∂a`, lowered('L'), raised(' / ∂a'), lowered('l'), raised('|'));
}

export default function mount(room, language) {
    const words = WORDS[language];
    const state = {depth: DEEPEST, w: 1, centred: false};
    const picture = plot({label: '',
        x: {label: words.x, from: 0, to: DEEPEST, ticks: [0, 10, 20, 30].map(tick)},
        y: {label: derivative(words.y), from: 1e-80, to: 1e22, log: true,
            ticks: powersOfTen([-80, -60, -40, -20, 0, 20])}});
    const slope = plot({label: '',
        x: {label: 'z', from: -9, to: 9, ticks: [-8, -4, 0, 4, 8].map(tick)},
        y: {label: words.slope, from: -0.01, to: 0.3, ticks: [0, 0.1, 0.2, 0.3].map(tick)}});
    const result = spoken();

    function update() {
        const {gradient, z} = chain(state.w, state.depth, state.centred);
        result.textContent = words.say(state.depth, short(gradient.at(-1)), short(gradient[1]),
                                       z.toFixed(2));
        picture.draw([
            {kind: 'line', look: 'quiet dashed',
             points: gradient.map((_, layer) => [layer, (state.w / 4) ** layer])},
            {kind: 'line', look: 'strong', points: gradient.map((value, layer) => [layer, value])},
            {kind: 'dots', look: 'strong', points: [[state.depth, gradient.at(-1)]]},
        ], `${words.y}: ${result.textContent}`);
        slope.draw([
            {kind: 'line', look: 'quiet', points: STEPS.map((each) => [each, steepness(each)])},
            {kind: 'dots', look: 'strong', points: [[z, steepness(z)]]},
            // Above the falling curve, and not beyond its right end.
            {kind: 'text', look: 'strong', x: Math.min(z + 0.5, 4.4), y: steepness(z) + 0.02,
             text: short(steepness(z))},
        ], `${words.slope}: ${short(steepness(z))}; z = ${z.toFixed(2)}`);
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-controls'},
            slider({label: words.weight, min: 0.5, max: LARGEST, step: 0.5, value: state.w,
                    oninput: (w) => { state.w = w; update(); }}),
            slider({label: words.depth, min: 1, max: DEEPEST, value: state.depth,
                    oninput: (depth) => { state.depth = depth; update(); }}),
            choice({label: words.bias, value: 'none',
                    options: [['none', words.none], ['centred', words.centred]],
                    onchange: (value) => { state.centred = value === 'centred'; update(); }})),
        element('div', {class: 'explore-pictures'}, slope.node, picture.node),
        element('p', {class: 'explore-key'}, element('span', {class: 'key quiet dashed'}), words.bound),
        result,
        element('p', {class: 'explore-key'}, words.source));
    update();
}
