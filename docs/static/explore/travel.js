// Notebook 02, figure 4: a signal goes through n blocks and its gradient comes back.

import {button, choice, element, short, slider, spoken} from './controls.js';
import {HE, backward, forward, net} from './dense.js';
import {plot, powersOfTen} from './plot.js';

const WORDS = {
    en: {attempt: 'Try: BN off, 50 blocks, weights 1.50 × He. Which net’s gradient explodes more?',
         n: 'blocks n', gain: 'weights', times: (gain) => `${gain} × He`, bn: 'BN', on: 'on', off: 'off',
         play: 'Play', pause: 'Pause', journey: 'forward, then back',
         there: (block) => block ? `signal behind block ${block}` : 'signal in front of block 1',
         back: (block, n) => block < n ? `gradient in front of block ${block + 1}` : 'gradient at the end',
         x: {signal: 'blocks in front (the signal goes right)',
             gradient: 'blocks in front (the gradient goes left)'},
         y: {signal: 'signal (1 at the input)', gradient: 'gradient (1 at the end)'},
         ends: {signal: ['grows', 'shrinks'], gradient: ['explodes', 'vanishes']},
         plain: 'plain: ReLU(F(x))', residual: 'residual: ReLU(F(x) + x)',
         here: (place, [plain, residual]) => `Now the ${place}: plain ${plain}, residual ${residual}.`,
         arrived: ([plain, residual], [a, b]) => 'A gradient of 1 at the end becomes, in front of block 1: '
             + `plain ${plain} (on average ×\u00a0${a} a block), residual ${residual} (×\u00a0${b}).`,
         label: (what, [plain, residual]) => `${what}, logarithmic: plain ${plain}, residual ${residual}.`,
         rule: 'The pictures show norms, computed now, in this page: random dense nets before training, not '
             + 'the notebook’s convolutional ones. F is two dense layers of 32 features, each with BN if it '
             + 'is on; 64 random inputs. Without BN a block with a shortcut multiplies by what its branch does and a '
             + 'little more; with BN the branch is small beside x. Figure 4 shows the weights’ gradient, this the '
             + 'signal’s: in figure 4 the residual net stays more level.'},
    zh: {attempt: '试一试：去掉 BN，取 50 个块，权重取 1.50 倍。哪个网络的梯度爆炸得更厉害？',
         n: '块数 n', gain: '权重', times: (gain) => `He 初始化的 ${gain} 倍`, bn: 'BN', on: '有', off: '无',
         play: '播放', pause: '暂停', journey: '先前进，再返回',
         there: (block) => block ? `信号在第 ${block} 块后面` : '信号在第 1 块前面',
         back: (block, n) => block < n ? `梯度在第 ${block + 1} 块前面` : '梯度在末端',
         x: {signal: '位置：前面有几个块（信号向右传）', gradient: '位置：前面有几个块（梯度向左传）'},
         y: {signal: '信号（输入处为 1）', gradient: '梯度（末端为 1）'},
         ends: {signal: ['增大', '缩小'], gradient: ['爆炸', '消失']},
         plain: '普通网络：ReLU(F(x))', residual: '残差网络：ReLU(F(x) + x)',
         here: (place, [plain, residual]) => `现在${place}：普通网络 ${plain}，残差网络 ${residual}。`,
         arrived: ([plain, residual], [a, b]) => `末端的梯度为 1，传到第 1 块前面就成了：普通网络 ${plain}`
             + `（平均每块乘以 ${a}），残差网络 ${residual}（平均每块乘以 ${b}）。`,
         label: (what, [plain, residual]) => `${what}，对数刻度：普通网络 ${plain}，残差网络 ${residual}。`,
         rule: '图中是范数，由本页现算：训练之前的随机全连接网络，不是笔记本里的卷积网络。F 是两个全连接层，各 32 个特征，'
             + '选“有”时各带 BN；输入是 64 个随机样本。没有 BN 时，带捷径的块乘上的倍数比分支的还要多一些；有 BN 时，分支与 x 相比很小。'
             + '图 4 画的是权重的梯度，这里是信号的梯度；图 4 里的残差网络更平稳。'},
};
const MOST = 50;
const LOOKS = ['plain', 'residual'];
const REACHES = [2, 4, 6, 12, 24, 36];  // the pictures reach so many powers of ten up and down
const PACE = 90;  // milliseconds a block

/** The norms of signal and gradient, plain and residual, as multiples of what each begins with. */
export function journeys({n, gain, bn}) {
    return [0, 1].map((factor) => {
        const blocks = net(n, {branch: bn ? 'dense BN ReLU dense BN' : 'dense ReLU dense',
                               after: 'ReLU', factor, scale: gain * HE});
        const signal = forward(blocks), gradient = backward(blocks);
        return {signal: signal.map((value) => Math.sqrt(value / signal[0])),
                gradient: gradient.map((value) => Math.sqrt(value / gradient[n]))};
    });
}

export default function mount(room, language) {
    const words = WORDS[language];
    const state = {n: 27, gain: 1, bn: true, step: 54};  // n steps there, n steps back
    const pictures = element('div', {class: 'explore-pictures'});
    const result = spoken();
    let nets, reach, plots, playing;

    function update() {
        nets = journeys(state);
        const all = nets.flatMap((each) => [...each.signal, ...each.gradient]);
        const powers = Math.max(...all.map((value) => Math.abs(Math.log10(value))));
        reach = REACHES.find((each) => each > powers);
        plots = {signal: picture('signal'), gradient: picture('gradient')};
        pictures.replaceChildren(plots.signal.node, plots.gradient.node);
    }

    function picture(what) {
        return plot({label: '',
            x: {label: words.x[what], from: -1, to: MOST + 1,
                ticks: [0, 10, 20, 30, 40, 50].map((n) => [n, n])},
            y: {label: words.y[what], from: 10 ** -(reach * 1.3), to: 10 ** (reach * 1.3), log: true,
                ticks: powersOfTen([-reach, -reach / 2, 0, reach / 2, reach])}});
    }

    function show() {
        const {n, step} = state;
        const there = Math.min(step, n), back = Math.min(2 * n - step, n);
        draw('signal', [0, there], there);
        draw('gradient', [back, n], step < n ? undefined : back);
        result.textContent = sentence();
    }

    function place() {
        const {n, step} = state;
        return step < n ? words.there(step) : words.back(2 * n - step, n);
    }

    function sentence() {
        const {n, step} = state;
        const values = nets.map(({signal, gradient}) => step < n ? signal[step] : gradient[2 * n - step]);
        const texts = values.map((value) => short(value));
        if (step < 2 * n) return words.here(place(), texts);
        return words.arrived(texts, values.map((value) => short(value ** (1 / n), 3)));
    }

    /** The whole lines thin, what has been passed thick, and the values where it is now. */
    function draw(what, [from, to], here) {
        const values = nets.map((each) => each[what]);
        const points = values.map((line) => line.map((value, block) => [block, value]));
        const corner = what === 'signal' ? {x: 0, anchor: 'start'} : {x: MOST, anchor: 'end'};
        const [above, below] = words.ends[what];
        const shapes = [
            {kind: 'level', y: 1, look: 'quiet thin'},
            {kind: 'text', ...corner, y: 10 ** (reach * 1.04), text: above, look: 'quiet'},
            {kind: 'text', ...corner, y: 10 ** (reach * -0.94), text: below, look: 'quiet'},
            ...LOOKS.map((look, net) => ({kind: 'line', look: `${look} thin`, points: points[net]})),
        ];
        const now = here === undefined ? [] : values.map((line) => line[here]);
        now.forEach((value, net) => {
            const other = now[1 - net], near = Math.abs(Math.log10(value / other)) < reach / 3;
            const under = value < other && (value < 1 || near);  // so that no text meets the other's
            const y = value * 10 ** (reach * (under ? -0.2 : 0.08));
            shapes.push(
                {kind: 'line', look: LOOKS[net], points: points[net].slice(from, to + 1)},
                {kind: 'dots', look: LOOKS[net], points: [[here, value]]},
                {kind: 'text', look: LOOKS[net], text: short(value), x: here, y,
                 anchor: here > MOST / 2 ? 'end' : 'start'});
        });
        plots[what].draw(shapes, now.length
            ? words.label(words.y[what], now.map((each) => short(each))) : words.y[what]);
    }

    const journey = slider({label: words.journey, min: 0, max: 2 * MOST, value: state.step,
        format: (step) => { state.step = step; return place(); }, oninput: show});
    const knob = journey.querySelector('input');
    knob.addEventListener('pointerdown', pause);
    knob.addEventListener('keydown', pause);

    /** Moves the slider, as a hand would. */
    function go(step) {
        knob.max = 2 * state.n;
        knob.value = step;
        knob.dispatchEvent(new Event('input'));
    }

    function change(values) {
        pause();
        Object.assign(state, values);
        update();
        go(2 * state.n);
    }

    const player = button(words.play, () => {
        const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
        if (playing) pause();
        else if (still) go(2 * state.n);
        else play();
    });

    function play() {
        if (state.step === 2 * state.n) go(0);
        player.textContent = words.pause;
        result.setAttribute('aria-busy', 'true');  // to be spoken when the journey ends
        playing = setInterval(() => {
            go(state.step + 1);
            if (state.step === 2 * state.n) pause();
        }, PACE);
    }

    function pause() {
        clearInterval(playing);
        playing = undefined;
        player.textContent = words.play;
        result.removeAttribute('aria-busy');
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-controls'},
            slider({label: words.n, min: 1, max: MOST, value: state.n, oninput: (n) => change({n})}),
            slider({label: words.gain, min: 0.5, max: 1.5, step: 0.05, value: state.gain,
                    format: (gain) => words.times(gain.toFixed(2)), oninput: (gain) => change({gain})}),
            choice({label: words.bn, value: 'on', options: [['on', words.on], ['off', words.off]],
                    onchange: (value) => change({bn: value === 'on'})})),
        pictures,
        element('div', {class: 'explore-controls explore-player'}, player, journey),
        element('p', {class: 'explore-key'},
            ...LOOKS.map((look) => element('span', {class: 'explore-meaning'},
                element('span', {class: `key ${look}${look === 'plain' ? ' dashed' : ''}`}), words[look]))),
        result,
        element('p', {class: 'explore-key'}, words.rule));
    change({});
}
