// Notebook 06, figure 6: signal and gradient in the five orders of BN and ReLU.

import {choice, element, short, slider, spoken, svg} from './controls.js';
import {backward, forward, net} from './dense.js';
import {plot, powersOfTen} from './plot.js';

// As in the notebook's section 3, with dense layers: the branch, and what is left behind the addition.
export const ORDERS = {
    'original': ['dense BN ReLU dense BN', 'ReLU'],
    'BN after addition': ['dense BN ReLU dense', 'BN ReLU'],
    'ReLU before addition': ['dense BN ReLU dense BN ReLU', ''],
    'ReLU-only pre-activation': ['ReLU dense BN ReLU dense BN', ''],
    'full pre-activation': ['BN ReLU dense BN ReLU dense', ''],
};
const NAMES = Object.keys(ORDERS);

const WORDS = {
    en: {attempt: 'Try: in which order does the gradient grow least? Does that order train best in figure 6?',
         order: 'order', n: 'blocks n', x: 'blocks in front', signal: 'mean square of the signal',
         gradient: 'mean square of the gradient', names: NAMES,
         brief: ['original', 'BN after', 'ReLU before', 'ReLU-only', 'full'], dense: 'dense',
         path: (layers) => `On the direct path: ${layers.join(' and ') || 'nothing'}.`,
         notes: {'ReLU before addition': ' But its branch ends with a ReLU: it can only add.'},
         say: (n, signal, gradient) => `n = ${n}: behind the last block the signal’s mean square is `
             + `${signal}; in front of block 1 the gradient’s is ${gradient}. `,
         drawing: (branch) => `A block: x goes through the branch, ${branch}, and past it along the `
             + 'shortcut; then both are added. ',
         direct: 'direct path',
         rule: 'Computed now, in this page: dense nets with He’s weights, before training, 32 features, 64 '
             + 'random inputs; signal and gradient both begin near 1. The gradient grows faster than in '
             + 'figure 7, where a block has one layer instead of two.'},
    zh: {attempt: '试一试：哪种顺序的梯度增长得最少？它在图 6 中训练得最好吗？',
         order: '顺序', n: '块数 n', x: '位置：前面有几个块', signal: '信号的均方值', gradient: '梯度的均方值',
         names: ['原始顺序', '加法后 BN', '加法前 ReLU', '仅 ReLU 预激活', '完全预激活'],
         brief: ['原始', '加法后 BN', '加法前 ReLU', '仅 ReLU', '完全'], dense: '全连接',
         path: (layers) => layers.length ? `直接路径上有：${layers.join(' 和 ')}。` : '直接路径上什么都没有。',
         notes: {'ReLU before addition': '但它的分支以 ReLU 结尾，只能往上加。'},
         say: (n, signal, gradient) => `经过 ${n} 个块，信号的均方值是 ${signal}；梯度传回第 1 块前面时，`
             + `均方值是 ${gradient}。`,
         drawing: (branch) => `一个块：x 经过分支（${branch}），也沿捷径绕过分支，然后两者相加。`,
         direct: '直接路径',
         rule: '由本页现算：用 He 初始化的全连接网络，训练之前，32 个特征，64 个随机样本；信号和梯度开始时都接近 1。'
             + '梯度比图 7 增长得快：这里每块有两层，那里只有一层。'},
};
const MOST = 40;
const ROOM = 40;  // in the pictures beside the lines, for their names, in blocks
const SIGNAL = {from: 0.03, to: 1000}, GRADIENT = {from: 0.01, to: 1e8};
const APART = 0.085;  // the names' distance, as a part of the axis
const ROW = 32, MIDDLE = 50, SIDE = 112;  // of the drawing: a row's height, the branch, the shortcut

/** The distance of two names on a logarithmic axis, as a factor. */
function step({from, to}) {
    return (to / from) ** APART;
}

/** Where names stand that belong at these values: at least a step apart, in the same order. */
export function spread(values, axis) {
    const places = [...values], order = values.map((_, i) => i).sort((i, j) => values[i] - values[j]);
    // Two that are too close move apart by the same factor, again and again, until none are.
    for (let round = 0; round < 100; round += 1) {
        for (let k = 1; k < order.length; k += 1) {
            const [low, high] = [order[k - 1], order[k]];
            const lack = Math.sqrt(step(axis) * places[low] / places[high]);
            if (lack > 1) [places[low], places[high]] = [places[low] / lack, places[high] * lack];
        }
    }
    return places;
}

/** A box, or the addition's circle, in a row of the drawing. */
function station(text, row, look) {
    const y = row * ROW;
    const shape = text === '+'
        ? svg('circle', {class: `line ${look}`, cx: MIDDLE, cy: y, r: 10})
        : svg('rect', {class: `line ${look}`, x: MIDDLE - 36, y: y - 11, width: 72, height: 22, rx: 4});
    return svg('g', {}, shape, svg('text', {x: MIDDLE, y: y + 4.5, 'text-anchor': 'middle'}, text));
}

/** A line through points, with an arrow's head at its end. */
function arrow(points, look) {
    const [[beforeX], [x, y]] = points.slice(-2);
    const head = beforeX === x ? `M${x - 4} ${y - 7}h8l-4 7z` : `M${x + 7} ${y - 4}v8l-7 -4z`;
    return svg('g', {}, svg('path', {class: `line ${look}`, d: `M${points.join('L')}`}),
               svg('path', {class: `dot ${look}`, d: head}));
}

/** The block as in the notebook's figure 3; the direct path, and what stands on it, is blue and thick. */
function drawing([branch, after], words) {
    const word = (name) => name === 'dense' ? words.dense : name;
    const onBranch = branch.split(' '), onPath = after.split(' ').filter(Boolean);
    const plus = onBranch.length + 1, last = plus + onPath.length;
    const stations = [...onBranch, '+', ...onPath];
    const half = (row) => row === 0 ? 8 : row === plus ? 10 : 11;
    const arrows = stations.map((_, i) => arrow(
        [[MIDDLE, i * ROW + half(i)], [MIDDLE, (i + 1) * ROW - half(i + 1)]],
        i >= plus ? 'residual' : 'quiet thin'));
    const label = words.drawing(onBranch.map(word).join(', ')) + words.path(onPath);
    return svg('svg', {class: 'explore-plot', viewBox: `10 -14 124 ${8 * ROW + 10}`, role: 'img',
                       'aria-label': label},
        svg('text', {x: MIDDLE, y: 3, 'text-anchor': 'middle'}, 'x'),
        ...arrows,
        arrow([[MIDDLE, 8], [MIDDLE, 14], [SIDE, 14], [SIDE, plus * ROW], [MIDDLE + 10, plus * ROW]],
              'residual'),
        arrow([[MIDDLE, last * ROW + 11], [MIDDLE, last * ROW + 30]], 'residual'),
        svg('text', {class: 'word residual', 'text-anchor': 'middle',
                     'writing-mode': 'vertical-rl', x: SIDE + 13, y: plus * ROW / 2 + 7}, words.direct),
        ...stations.map((name, i) => station(word(name), i + 1, i + 1 > plus ? 'residual' : 'strong thin')));
}

export default function mount(room, language) {
    const words = WORDS[language];
    const state = {order: NAMES[0], n: 30};
    const nets = NAMES.map((name) => net(MOST, {branch: ORDERS[name][0], after: ORDERS[name][1]}));
    const signals = nets.map(forward);
    let gradients;
    const picture = (what, [from, to], y) => plot({label: '',
        x: {label: words.x, from, to, ticks: [0, 10, 20, 30, 40].map((n) => [n, n])},
        y: {...y, label: words[what], log: true}});
    const signal = picture('signal', [-1, MOST + ROOM], {...SIGNAL, ticks: [1, 10, 100].map((y) => [y, y])});
    const gradient = picture('gradient', [-ROOM, MOST + 1], {...GRADIENT, ticks: powersOfTen([0, 2, 4, 6])});
    const block = element('div', {class: 'explore-order-block'});
    const result = spoken();

    function measure() {
        gradients = nets.map((blocks) => backward(blocks.slice(0, state.n)));
    }

    /** All orders' lines, and at their ends the names, to the right (side 1) or to the left (-1). */
    function draw(picture, axis, lines, at, side, label) {
        const number = NAMES.indexOf(state.order), value = short(lines[number][at]);
        const points = (line) => line.slice(0, state.n + 1).map((each, block) => [block, each]);
        const places = spread(lines.map((line) => line[at]), axis);
        const looks = NAMES.map((name) => name === state.order ? 'residual' : 'quiet');
        picture.draw([
            ...lines.map((line) => ({kind: 'line', look: 'quiet thin', points: points(line)})),
            {kind: 'line', look: 'residual', points: points(lines[number])},
            {kind: 'dots', look: 'residual', points: [[at, lines[number][at]]]},
            ...lines.map((line, i) => ({kind: 'line', look: `${looks[i]} thin`,
                                        points: [[at, line[at]], [at + 3 * side, places[i]]]})),
            ...words.brief.map((name, i) => ({
                kind: 'text', look: looks[i], x: at + 3.5 * side, y: places[i] * step(axis) ** -0.3,
                text: i === number ? `${name} ${value}` : name, anchor: side < 0 ? 'end' : 'start'})),
        ], `${label}: ${value}`);
        return value;
    }

    function update() {
        const path = ORDERS[state.order][1].split(' ').filter(Boolean);
        result.textContent = words.say(
            state.n, draw(signal, SIGNAL, signals, state.n, 1, words.signal),
            draw(gradient, GRADIENT, gradients, 0, -1, words.gradient)) + words.path(path)
            + (words.notes[state.order] ?? '');
        block.replaceChildren(drawing(ORDERS[state.order], words));
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-order'},
            element('div', {class: 'explore-order-controls'},
                choice({label: words.order, value: state.order,
                        options: NAMES.map((name, i) => [name, words.names[i]]),
                        onchange: (order) => { state.order = order; update(); }}),
                slider({label: words.n, min: 1, max: MOST, value: state.n,
                        oninput: (n) => { state.n = n; measure(); update(); }})),
            block),
        element('div', {class: 'explore-pictures'}, signal.node, gradient.node),
        result,
        element('p', {class: 'explore-key'}, words.rule));
    measure();
    update();
}
