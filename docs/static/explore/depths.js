// Notebook 01, below figure 5: how the error depends on depth and on training time, as recorded.

import {button, choice, element, slider, spoken} from './controls.js';
import {readJSON} from './data.js';
import {plot} from './plot.js';

const WORDS = {
    en: {attempt: 'Try: move the training time. Which depth errs least in epoch 1, and which in epoch 6?',
         depth: 'depth', layers: (depth) => `${depth} layers`,
         time: 'training time', epoch: (epoch) => `epoch ${epoch}`,
         part: 'error', train: 'training error', test: 'test error', percent: 'error (%)',
         show: 'show residual nets (notebook 02)', hide: 'hide residual nets (notebook 02)',
         acrossTime: 'epoch', acrossDepth: 'depth (layers)', guessing: 'guessing: 90 %',
         plain: 'plain nets', residual: 'residual nets (with shortcuts)',
         say: (net, epoch, part, mean, low, high) => `${net} in epoch ${epoch}: ${part} `
             + `${mean}\u00a0% (${low} to ${high}\u00a0%). `,
         least: (net, overlap) => `Least of all depths: ${net}`
             + (overlap ? `, but its range meets ${overlap} others. ` : '. '),
         curve: (net, part, means) =>
             `Learning curve of ${net}, ${part} in % by epoch: ${means.join(', ')}. `,
         profile: (nets, part, epoch, means) =>
             `${part} in % of ${nets} in epoch ${epoch}, by depth: ${means.join(', ')}. `,
         source: 'Training error: the mean over the epoch. Lines: means of three seeds; bands: their range. '
             + 'Recorded (records/depths_01.py): 4,000 images of 14 × 14 pixels as for figure 4, but computed '
             + 'with one thread, where figure 4 had two: rounding differs, and training makes much of it.'},
    zh: {attempt: '试一试：拖动“训练时间”。第 1 轮哪个深度的误差最低，第 6 轮呢？',
         depth: '深度', layers: (depth) => `${depth} 层`,
         time: '训练时间', epoch: (epoch) => `第 ${epoch} 轮`,
         part: '误差', train: '训练误差', test: '测试误差', percent: '误差（%）',
         show: '显示残差网络（笔记本 02）', hide: '隐藏残差网络（笔记本 02）',
         acrossTime: '轮', acrossDepth: '深度（层）', guessing: '瞎猜：90%',
         plain: '普通网络', residual: '残差网络（带捷径）',
         say: (net, epoch, part, mean, low, high) => `${net}，第 ${epoch} 轮：${part} `
             + `${mean}%（${low}% 到 ${high}%）。`,
         least: (net, overlap) => `各深度中最低的是 ${net}`
             + (overlap ? `，但它的范围与另外 ${overlap} 个深度有重叠。` : '。'),
         curve: (net, part, means) => `${net} 的学习曲线，各轮的${part}（%）：${means.join('，')}。`,
         profile: (nets, part, epoch, means) =>
             `第 ${epoch} 轮，各个深度的${nets}的${part}（%）：${means.join('，')}。`,
         source: '训练误差是整轮的平均。线：三个随机种子的均值；色带：它们的范围。事先录制（records/depths_01.py）：'
             + '与图 4 一样是 4,000 张 14 × 14 像素的图像，但只用一个线程计算，图 4 用了两个：舍入略有不同，训练会把它放大。'},
};
const LOOKS = {plain: 'plain', ResNet: 'residual'};

/** Mean, smallest and largest of some numbers. */
export function spread(numbers) {
    const sum = numbers.reduce((total, number) => total + number, 0);
    return {mean: sum / numbers.length, low: Math.min(...numbers), high: Math.max(...numbers)};
}

/** From the runs of one net, [seed][epoch]: the spread over seeds in each epoch. */
export function overTime(runs) {
    return runs[0].map((_, epoch) => spread(runs.map((run) => run[epoch])));
}

/** From the runs of all depths, [depth][seed][epoch]: the spread over seeds at each depth. */
export function overDepth(runsOfDepths, epoch) {
    return runsOfDepths.map((runs) => spread(runs.map((run) => run[epoch])));
}

/** The place of the smallest mean, and how many others have a range that meets its own. */
export function lowest(spreads) {
    const means = spreads.map(({mean}) => mean);
    const place = means.indexOf(Math.min(...means));
    return {place, overlap: spreads.filter(({low}) => low <= spreads[place].high).length - 1};
}

/** What a plot draws of spreads at `places` of its x axis; a dot, and a line down, at the chosen one. */
function shapes(places, spreads, chosen, look) {
    const dot = [places[chosen], spreads[chosen].mean];
    return [
        {kind: 'band', look, points: spreads.map(({low, high}, i) => [places[i], low, high])},
        {kind: 'line', look, points: spreads.map(({mean}, i) => [places[i], mean])},
        {kind: 'line', look: 'strong thin', points: [[places[chosen], 0], dot]},
        {kind: 'dots', look, points: [dot]},
    ];
}

/** A net's name beside its falling curve: above the plain one, behind epoch 2; below the other. */
function nameOf(kind, name, look, curve) {
    const [, second, third] = curve.map(({mean}) => mean);
    return kind === 'plain' ? {kind: 'text', look, text: name, x: 2.5, y: (second + third) / 2 + 6}
        : {kind: 'text', look, text: name, x: 2, y: second - 17, anchor: 'middle'};
}

function percent(error) {
    return error.toFixed(1);
}

function means(spreads) {
    return spreads.map(({mean}) => percent(mean));
}

export default async function mount(room, language) {
    const words = WORDS[language];
    const {depths, errors} = await readJSON('data/depths.json');
    const times = errors.plain.train[0][0].map((_, i) => i + 1);
    const epochs = times.length;
    const state = {depth: depths.at(-1), epoch: epochs, part: 'train', shortcuts: false,
                   moved: false};  // until then the sentence does not answer the question above

    const percents = {label: words.percent, from: 0, to: 100,
                      ticks: [0, 20, 40, 60, 80, 100].map((y) => [y, y])};
    const curves = plot({label: '', y: percents,
        x: {label: words.acrossTime, from: 0.7, to: epochs + 0.3,
            ticks: times.map((epoch) => [epoch, epoch])}});
    const profiles = plot({label: '', y: percents,
        x: {label: words.acrossDepth, from: depths[0] - 2, to: depths.at(-1) + 2,
            ticks: depths.filter((_, i) => i % 2 === 0).map((depth) => [depth, depth])}});
    const result = spoken();
    const shortcutsKey = key('residual', words.residual);
    const show = button(words.show, () => { state.shortcuts = !state.shortcuts; update(); });

    function update() {
        const kinds = state.shortcuts ? ['plain', 'ResNet'] : ['plain'];
        const at = depths.indexOf(state.depth), part = words[state.part];
        const nets = kinds.map((kind) => {
            const runs = errors[kind][state.part];
            return {kind, name: `${kind}-${state.depth}`, look: LOOKS[kind],
                    curve: overTime(runs[at]), profile: overDepth(runs, state.epoch - 1)};
        });
        curves.draw([
            ...ground(times),
            ...nets.flatMap(({curve, look}) => shapes(times, curve, state.epoch - 1, look)),
            ...nets.map(({kind, name, look, curve}) => nameOf(kind, name, look, curve)),
        ], nets.map(({name, curve}) => words.curve(name, part, means(curve))).join(''));
        profiles.draw([
            ...ground(depths),
            ...nets.flatMap(({profile, look}) => shapes(depths, profile, at, look)),
            {kind: 'text', look: 'strong', x: depths[0], y: 92, text: words.epoch(state.epoch)},
        ], nets.map(({look, profile}) =>
            words.profile(words[look], part, state.epoch, means(profile))).join(''));
        result.textContent = nets.map(({kind, name, profile}) => {
            const {mean, low, high} = profile[at];
            const {place, overlap} = lowest(profile);
            return words.say(name, state.epoch, part, ...[mean, low, high].map(percent))
                + (state.moved ? words.least(`${kind}-${depths[place]}`, overlap) : '');
        }).join('');
        shortcutsKey.style.visibility = state.shortcuts ? 'visible' : 'hidden';
        show.textContent = state.shortcuts ? words.hide : words.show;
    }

    /** What lies below the curves: how often guessing errs. */
    function ground(places) {
        return [
            {kind: 'level', look: 'quiet thin', y: 90},
            {kind: 'text', look: 'quiet', x: places.at(-1), y: 92, text: words.guessing, anchor: 'end'},
        ];
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-controls'},
            slider({label: words.depth, min: depths[0], max: depths.at(-1), step: depths[1] - depths[0],
                    value: state.depth, format: words.layers,
                    oninput: (depth) => { state.depth = depth; update(); }}),
            slider({label: words.time, min: 1, max: epochs, value: state.epoch, format: words.epoch,
                    oninput: (epoch) => { state.epoch = epoch; state.moved = true; update(); }}),
            choice({label: words.part, value: state.part,
                    options: [['train', words.train], ['test', words.test]],
                    onchange: (part) => { state.part = part; update(); }}),
            show),
        element('div', {class: 'explore-pictures'}, curves.node, profiles.node),
        element('p', {class: 'explore-key'}, key('plain dashed', words.plain), shortcutsKey),
        result,
        element('p', {class: 'explore-key'}, words.source));
    update();
}

/** A short line as it is drawn, and what it stands for. */
function key(look, text) {
    return element('span', {class: 'explore-meaning'}, element('span', {class: `key ${look}`}), text);
}
