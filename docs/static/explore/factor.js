// Notebook 06, figure 1: a factor λ on every shortcut.

import {choice, element, short, slider, spoken} from './controls.js';
import {WIDTH, backward, forward, net} from './dense.js';
import {plot, powersOfTen} from './plot.js';

const WORDS = {
    en: {attempt: 'Try: λ = 0.9, then weights 5 times as large. Which of the two gradients changes?',
         lambda: 'factor λ on every shortcut', n: 'blocks n', branch: 'weights of the branches',
         weak: 'as in figure 1', strong: '5 times as large', x: 'blocks in front',
         y: 'gradient (1 at the end)', direct: 'direct part', whole: 'whole gradient',
         left: 'direct part at block 1, λⁿ',
         half: (blocks) => blocks === 1 ? 'Every block halves it.' : `Every ${blocks} blocks or so halve it.`,
         double: (blocks) => `Every ${blocks} blocks or so double it.`,
         level: 'Nothing of it is lost, at any depth.',
         say: (n, direct, change, whole) => `n = ${n}: at block 1 the direct part is `
             + `λⁿ\u00a0=\u00a0${direct}. ${change} The whole gradient is ${whole}.`,
         caution: ' The rest comes through the branches, so it depends on their weights, which training '
             + 'would change.',
         rule: 'λⁿ is exact. The whole gradient, its norm, is computed now, in this page, for random '
             + 'weights: figure 1’s net, λx + tanh(xW), 32 features wide. The gradient is 1 behind the last '
             + 'block, hence 0.9⁵⁴ = 0.0034; figure 1 has 1 in front of that block, one factor fewer: '
             + '0.9⁵³ = 0.004.'},
    zh: {attempt: '试一试：取 λ = 0.9，再把权重放大到 5 倍。两个梯度中，变的是哪一个？',
         lambda: '每条捷径上的因子 λ', n: '块数 n', branch: '分支的权重',
         weak: '与图 1 相同', strong: '放大到 5 倍', x: '位置：前面有几个块', y: '梯度（末端为 1）',
         direct: '直接传播项', whole: '整个梯度（现算）', left: '第 1 块处的直接传播项 λⁿ',
         half: (blocks) => blocks === 1 ? '每过一个块，它就减半。' : `每过约 ${blocks} 个块，它就减半。`,
         double: (blocks) => `每过约 ${blocks} 个块，它就翻倍。`, level: '无论多深，它都不增不减。',
         say: (n, direct, change, whole) => `经过 ${n} 个块，传到第 1 块的直接传播项是 λⁿ\u00a0=\u00a0${direct}。`
             + `${change}整个梯度是 ${whole}。`,
         caution: '其余部分都经过分支，所以取决于分支的权重，而训练会改变权重。',
         rule: 'λⁿ 是精确值。整个梯度由本页用随机权重现算，图中是范数；网络与图 1 相同，λx + tanh(xW)，宽度 32。'
             + '这里以最后一个块后面的梯度为 1，所以是 0.9⁵⁴ = 0.0034；图 1 以最后一个块前面的梯度为 1，少乘一次：'
             + '0.9⁵³ = 0.004。'},
};
const MOST = 60;
const WEAK = 0.1, STRONG = 0.5;  // the weights' standard deviation, as a multiple of 1 / √width
const KNOWN = [0.5, 0.9, 1, 1.1];  // figure 1's
const STEPS = Array.from({length: 71}, (_, i) => (50 + i) / 100);

/** The gradient's norm in front of each of n blocks and behind the last, which is 1. */
export function wholeGradient(lambda, n, size) {
    const blocks = net(n, {branch: 'dense tanh', factor: lambda, scale: size / Math.sqrt(WIDTH)});
    forward(blocks);
    const gradient = backward(blocks);
    return gradient.map((value) => Math.sqrt(value / gradient[n]));
}

/** After how many blocks a product of factors λ has halved, or doubled. */
export function blocksToHalve(lambda) {
    return Math.ceil(Math.abs(Math.log(2) / Math.log(lambda)));
}

/** Of these λ the ones whose λⁿ leave room for a name each, the first one first. */
function apart(lambdas, n) {
    return lambdas.reduce((named, each) => named.every(
        (other) => Math.abs(n * Math.log10(each / other)) > 1.9) ? [...named, each] : named, []);
}

export default function mount(room, language) {
    const words = WORDS[language];
    const state = {lambda: 0.9, n: 54, size: WEAK};
    // Both pictures have the same axis up: what the left line ends at, the right one shows for every λ.
    const up = {from: 1e-20, to: 1e7, log: true, ticks: powersOfTen([-18, -12, -6, 0, 6])};
    const picture = plot({label: '',
        x: {label: words.x, from: -15, to: MOST + 1, ticks: [0, 20, 40, 60].map((x) => [x, x])},
        y: {...up, label: words.y}});
    const needle = plot({label: '',
        x: {label: 'λ', from: 0.48, to: 1.22,
            ticks: [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2].map((x) => [x, x])},
        y: {...up, label: words.left}});
    const result = spoken();

    function directPart(lambda) {
        return Array.from({length: state.n + 1}, (_, block) => [block, lambda ** (state.n - block)]);
    }

    function change() {
        if (state.lambda === 1) return words.level;
        return words[state.lambda < 1 ? 'half' : 'double'](blocksToHalve(state.lambda));
    }

    function update() {
        const {lambda, n, size} = state;
        const whole = wholeGradient(lambda, n, size), end = lambda ** n;
        result.textContent = words.say(n, short(end), change(), short(whole[0]))
            + (size === STRONG ? words.caution : '');
        const others = KNOWN.filter((each) => Math.abs(each - lambda) > 0.045);
        picture.draw([
            ...others.map((each) => ({kind: 'line', look: 'quiet thin', points: directPart(each)})),
            ...apart([lambda, ...others], n).slice(1).map((each) => (
                {kind: 'text', look: 'quiet', anchor: 'end', x: -2, y: each ** n / 4, text: `λ = ${each}`})),
            {kind: 'line', look: 'residual', points: whole.map((value, block) => [block, value])},
            {kind: 'line', look: 'marked dashed', points: directPart(lambda)},
            {kind: 'dots', look: 'residual', points: [[0, whole[0]]]},
            {kind: 'dots', look: 'marked', points: [[0, end]]},
            {kind: 'text', look: 'marked', anchor: 'end', x: -2, y: end / 4, text: `λ = ${lambda}`},
        ], `${words.y}: ${result.textContent}`);
        needle.draw([
            {kind: 'line', look: 'quiet', points: STEPS.map((each) => [each, each ** n])},
            {kind: 'dots', look: 'marked', points: [[lambda, end]]},
            lambda < 0.85  // where there is room beside the line
                ? {kind: 'text', look: 'marked', x: lambda + 0.02, y: end / 30, text: short(end)}
                : {kind: 'text', look: 'marked', x: lambda - 0.01, y: end * 10, text: short(end),
                   anchor: 'end'},
        ], `${words.left}: ${short(end)}`);
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-controls'},
            slider({label: words.lambda, min: 0.5, max: 1.2, step: 0.01, value: state.lambda,
                    format: (lambda) => lambda.toFixed(2),
                    oninput: (lambda) => { state.lambda = lambda; update(); }}),
            slider({label: words.n, min: 1, max: MOST, value: state.n,
                    oninput: (n) => { state.n = n; update(); }}),
            choice({label: words.branch, value: 'weak',
                    options: [['weak', words.weak], ['strong', words.strong]],
                    onchange: (value) => { state.size = value === 'weak' ? WEAK : STRONG; update(); }})),
        element('div', {class: 'explore-pictures'}, picture.node, needle.node),
        element('p', {class: 'explore-key'},
            element('span', {class: 'explore-meaning'},
                element('span', {class: 'key marked dashed'}), words.direct),
            element('span', {class: 'explore-meaning'},
                element('span', {class: 'key residual'}), words.whole)),
        result,
        element('p', {class: 'explore-key'}, words.rule));
    update();
}
