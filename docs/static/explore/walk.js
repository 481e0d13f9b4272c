// Notebook 03, figure 4: a walk through ResNet-18, part by part, with a picture.

import {button, element, short, spoken, svg} from './controls.js';
import {decode, readJSON} from './data.js';
import {CHINESE} from './names.js';

const SIDE = 96;    // of a picture as the net gets it
const READ = 95;    // rows and columns that the stem's windows reach: 7 + 44 · 2
const STORED = 28;  // of a picture as it is stored
const SHOWN = 8;    // pictures, and feature maps of each part
const INPUT = {name: 'input', shape: [3, SIDE, SIDE], parameters: 0, multiply_adds: 0};
// The windows of the stem and of each stage: size, stride, padding.
const SAME = [[3, 1, 1], [3, 1, 1], [3, 1, 1], [3, 1, 1]], HALVING = [[3, 2, 1], ...SAME.slice(1)];
export const WINDOWS = [[[7, 2, 0], [3, 2, 0]], SAME, HALVING, HALVING, HALVING];

const WORDS = {
    en: {
        names: {},
        does: {'input': 'nothing is computed yet.',
               'stem': 'a convolution and a max-pool, both of stride 2.',
               'stage 1': 'two blocks, which keep the shape.',
               'stage 2': 'two blocks; the first halves the side and doubles the channels.',
               'stage 3': 'two blocks; again half the side, twice the channels.',
               'stage 4': 'two blocks; again half the side, twice the channels.',
               'head': 'each channel’s mean, then a dense layer.'},
        pictures: 'Choose a picture:', parts: 'Choose a part of the net, or walk:',
        picture: (name, number) => `picture ${number}: ${name}`, back: '← back', on: 'next →',
        key: 'In the buttons: the bar’s height stands for the side, its width for the channels.',
        shape: 'shape', axes: 'channels × side × side', outputs: 'one number a class',
        parameters: 'parameters', multiply_adds: 'multiply-adds', none: 'none',
        share: (percent) => `${percent}\u00a0% of the net`, percent: (number) => `${number}\u00a0%`,
        field: 'middle number sees', ofPicture: `picture: ${SIDE} × ${SIDE} pixels`,
        read: 'What the net gets: 28 × 28 pixels, enlarged to 96 × 96.',
        frame: 'Framed: the number in the middle of each map, and what it sees.',
        edge: ' No window reaches the last row and column.',
        asked: 'The picture to be named.',
        maps: (all, side, low, high) => `Eight of ${all} feature maps, ${side} × ${side} numbers each. `
            + `One grey scale for all eight: black is ${low}, white ${high}.`,
        chances: 'The probability of each class:', labelled: (name) => `${name} (label)`,
        say: (picture, part, does) => `${picture[0].toUpperCase()}${picture.slice(1)}, ${part}: ${does}`,
        sees: {part: ' The number in the middle sees a part of the picture.',
               middle: ' The number in the middle sees the whole picture, one at the edge does not.',
               every: ' Every number sees the whole picture.'},
        verdict: (said, percent, right) =>
            ` The net says ${said}, ${percent}\u00a0%: ${right ? 'right' : 'wrong'}.`,
        attempt: 'Try: choose the last picture, then the head: is the net right, and how sure is it? '
            + 'Then walk from the stem on: from which part on can you no longer see a shoe?',
        source: (percent) => 'Shapes and numbers are figure 4’s, for colour pictures. Maps and '
            + 'probabilities were recorded from the same net for grey pictures, after one epoch of '
            + `20,000; it gets ${percent}\u00a0% of the test images right (notebook 04’s, at 32 × 32 pixels, 82\u00a0% `
            + 'after its first epoch of two). Of each part you see the eight channels that vary most.',
    },
    zh: {
        names: {'input': '输入', 'stem': '起始层', 'stage 1': '阶段 1', 'stage 2': '阶段 2',
                'stage 3': '阶段 3', 'stage 4': '阶段 4', 'head': '输出部分',
                ...CHINESE},
        does: {'input': '还没有开始计算。',
               'stem': '一个卷积加一个最大池化，步幅都是 2。',
               'stage 1': '两个块，形状不变。',
               'stage 2': '两个块，第一个把边长减半、通道数翻倍。',
               'stage 3': '两个块，边长再减半，通道数再翻倍。',
               'stage 4': '两个块，边长再减半，通道数再翻倍。',
               'head': '先求每个通道的平均值，再用一个全连接层。'},
        pictures: '选一张图像：', parts: '选网络的一个部分，或者一步步走：',
        picture: (name, number) => `第 ${number} 张：${name}`, back: '← 后退', on: '前进 →',
        key: '按钮里，色块的高表示边长，宽表示通道数。',
        shape: '形状', axes: '通道 × 边长 × 边长', outputs: '每个类别一个数',
        parameters: '参数', multiply_adds: '乘加运算', none: '无',
        share: (percent) => `占全网络的 ${percent}%`, percent: (number) => `${number}%`,
        field: '感受野（正中一个数）', ofPicture: `图像是 ${SIDE} × ${SIDE} 像素`,
        read: '网络读入的图像：从 28 × 28 像素放大到 96 × 96。',
        frame: '框内是特征图正中的一个数能看到的范围；那个数也加了框。',
        edge: '窗口够不到图像的最后一行和最后一列。',
        asked: '待分类的图像。',
        maps: (all, side, low, high) => `${all} 幅特征图中的八幅，每幅 ${side} × ${side} 个数。`
            + `八幅共用一个灰度标尺：黑色是 ${low}，白色是 ${high}。`,
        chances: '各类的概率：', labelled: (name) => `${name}（标签）`,
        say: (picture, part, does) => `${picture}，${part}：${does}`,
        sees: {part: '正中的一个数能看到图像的一部分。',
               middle: '正中的一个数能看到整张图像，边上的看不全。',
               every: '每个数都能看到整张图像。'},
        verdict: (said, percent, right) =>
            `网络的回答是${said}，概率 ${percent}%：${right ? '对了' : '错了'}。`,
        attempt: '试一试：选最后一张图像，再选输出部分：网络答对了吗，有多大把握？'
            + '再一步步后退：退到哪个部分，你才能从特征图认出它是什么？',
        source: (percent) => '形状和各项数目同图 4，输入是彩色图像。特征图和概率是事先录制的，'
            + '来自结构相同、输入为灰度图像的网络：它用 20,000 张图像训练了一轮，测试图像认对了 '
            + `${percent}%（笔记本 04 的图像是 32 × 32 像素，训练两轮，第一轮之后是 82%）。`
            + '每个部分显示变化最大的八个通道。',
    },
};

/** Of the bytes of eight pictures, or of eight maps, those of one. */
function oneOf(bytes, i) {
    const size = bytes.length / SHOWN;
    return bytes.subarray(i * size, (i + 1) * size);
}

/** Of each picture all that is shown: {canvas, label, probabilities, maps: {part: bytes}}. */
function picturesOf(data) {
    const stored = decode(data.pictures);
    const maps = Object.entries(data.maps).map(([name, {base64}]) => [name, decode(base64)]);
    return data.labels.map((label, i) => ({
        label, canvas: grey(oneOf(stored, i), STORED), probabilities: data.probabilities[i],
        maps: Object.fromEntries(maps.map(([name, bytes]) => [name, oneOf(bytes, i)]))}));
}

/** Which row, and column, of a part's maps is in the middle. */
function middleOf({shape: [, side]}) {
    return Math.floor(side / 2);
}

/** From which pixel to which a number sees, behind windows; in both directions the same. */
export function seen(windows, number) {
    let from = number, to = number;
    for (const [size, stride, padding] of [...windows].reverse()) {
        from = from * stride - padding;
        to = to * stride - padding + size - 1;
    }
    return {from, to};
}

/** Which numbers of a part's maps see the whole picture: 'every' one, the 'middle', or none ('part'). */
function sight(part) {
    const all = (number) => {
        const {from, to} = seen(part.windows, number);
        return from <= 0 && to >= READ - 1;
    };
    if (all(0) && all(part.shape[1] - 1)) return 'every';
    return all(middleOf(part)) ? 'middle' : 'part';
}

/** A canvas with one pixel for each grey byte. */
function grey(bytes, side) {
    const canvas = element('canvas', {width: side, height: side});
    const image = new ImageData(side, side);
    bytes.forEach((value, i) => image.data.set([value, value, value, 255], 4 * i));
    canvas.getContext('2d').putImageData(image, 0, 0);
    return canvas;
}

/** The picture as the net reads it; what the middle number does not see is darkened. */
function enlarged(picture, part, label) {
    const canvas = element('canvas', {width: SIDE, height: SIDE});
    canvas.getContext('2d').drawImage(picture, 0, 0, SIDE, SIDE);
    const view = element('div', {class: 'walk-picture', role: 'img', 'aria-label': label}, canvas);
    if (!part.field) return view;
    const {from, to} = seen(part.windows, middleOf(part));
    const start = Math.max(0, from), end = Math.min(READ, to + 1);  // the pixel `to` is seen as well
    view.append(svg('svg', {viewBox: `0 0 ${SIDE} ${SIDE}`},
        svg('path', {class: 'unseen',
                     d: `M0 0H${SIDE}V${SIDE}H0ZM${start} ${start}V${end}H${end}V${start}Z`}),
        svg('rect', {class: 'frame', x: start, y: start, width: end - start, height: end - start})));
    return view;
}

/** Feature maps side by side; a frame marks the middle number of each. */
function mapsOf(bytes, part, label) {
    const [, side] = part.shape;
    return element('div', {class: 'walk-maps', role: 'img', 'aria-label': label,
                           style: `--side: ${side}; --middle: ${middleOf(part)}`},
        ...Array.from({length: SHOWN}, (_, i) => element('div', {},
            grey(oneOf(bytes, i), side), element('span', {class: 'frame'}))));
}

/** The probabilities as bars, a row for each class. */
function barsOf({probabilities, label}, classes, words) {
    return element('table', {class: 'walk-bars'}, element('tbody', {}, ...probabilities.map((value, i) =>
        element('tr', {},
            element('th', {scope: 'row'}, i === label ? words.labelled(classes[i]) : classes[i]),
            element('td', {}, element('span', {style: `width: ${100 * value}%`})),
            element('td', {}, words.percent((100 * value).toFixed(1)))))));
}

/** A part of the net as a box: its height is the side of its maps, its width their number. */
function boxOf({shape: [channels, side = 1]}) {
    const width = Math.max(2, channels / 8), height = Math.max(2, 0.7 * side);
    return svg('svg', {viewBox: '0 0 66 70', 'aria-hidden': 'true'},
        svg('rect', {x: 33 - width / 2, y: 35 - height / 2, width, height}));
}

/** A shape in two lines. */
function shapeOf([channels, ...sides]) {
    const lines = sides.length ? [`${channels} ×`, sides.join(' × ')] : [channels];
    return lines.map((line) => element('span', {}, line));
}

/** A part's numbers: terms, facts, notes. `all`: what the whole net has. */
function factsOf(part, all, words) {
    const {name, shape, field} = part;
    const bill = (what) => (part[what]
        ? [words[what], part[what].toLocaleString('en'), words.share(short(100 * part[what] / all[what]))]
        : [words[what], words.none, '\u00a0']);
    const rows = [[words.shape, shape.join(' × '), name === 'head' ? words.outputs : words.axes],
                  bill('parameters'), bill('multiply_adds')];
    if (field) rows.push([words.field, `${field} × ${field}`, words.ofPicture]);
    return element('dl', {}, ...rows.map(([term, fact, note]) => element('div', {},
        element('dt', {}, term), element('dd', {}, element('strong', {}, fact)),
        element('dd', {}, note))));
}

/** What a part makes of a picture: {nodes, caption of the picture, sentence to speak}. */
function inside(part, picture, {maps, classes}, words) {
    const {name, shape: [channels, side]} = part;
    if (name === 'input') return {nodes: [], caption: words.read, sentence: ''};
    if (name === 'head') {
        const surest = Math.max(...picture.probabilities), said = picture.probabilities.indexOf(surest);
        return {nodes: [element('p', {}, words.chances), barsOf(picture, classes, words)],
                caption: words.asked,
                sentence: words.verdict(classes[said], (100 * surest).toFixed(1), said === picture.label)};
    }
    const [low, high] = [maps[name].low, maps[name].high].map((value) => short(value).replace('-', '−'));
    const text = words.maps(channels, side, low, high);
    return {nodes: [element('p', {}, text), mapsOf(picture.maps[name], part, text)],
            caption: sight(part) === 'part' ? words.frame : words.frame + words.edge,
            sentence: words.sees[sight(part)]};
}

export default async function mount(room, language) {
    const words = WORDS[language], call = (name) => words.names[name] ?? name;
    const data = await readJSON('data/walk.json');
    const pictures = picturesOf(data), classes = data.classes.map(call);
    const parts = [INPUT, ...data.parts.map(
        (part, i) => ({...part, windows: WINDOWS.slice(0, i + 1).flat()}))];
    const all = {parameters: 0, multiply_adds: 0};
    for (const part of data.parts) for (const bill in all) all[bill] += part[bill];
    const state = {part: 1, picture: 0};

    function choose(change) {
        Object.assign(state, change);
        update();
    }

    const walk = (steps) => () => choose({part: (state.part + steps + parts.length) % parts.length});
    const pictureButtons = pictures.map(({canvas, label}, i) => element('button', {
        type: 'button', class: 'walk-choose', 'aria-label': words.picture(classes[label], i + 1),
        onclick: () => choose({picture: i})}, canvas));
    const partButtons = parts.map((part, i) => element('button', {
        type: 'button', class: 'explore-button', onclick: () => choose({part: i})},
        boxOf(part), element('strong', {}, call(part.name)), ' ', ...shapeOf(part.shape)));
    const facts = element('div', {class: 'walk-facts'});
    const left = element('div'), right = element('div'), result = spoken();

    function update() {
        const part = parts[state.part], picture = pictures[state.picture], name = classes[picture.label];
        pictureButtons.forEach((each, i) => each.setAttribute('aria-pressed', i === state.picture));
        partButtons.forEach((each, i) => each.setAttribute('aria-pressed', i === state.part));
        const {nodes, caption, sentence} = inside(part, picture, {maps: data.maps, classes}, words);
        facts.replaceChildren(factsOf(part, all, words));
        left.replaceChildren(enlarged(picture.canvas, part, `${name}. ${caption}`),
                             element('p', {}, caption));
        right.replaceChildren(...nodes);
        result.textContent = words.say(name, call(part.name), words.does[part.name]) + sentence;
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('p', {class: 'walk-label'}, words.pictures),
        element('div', {class: 'walk-pictures', role: 'group', 'aria-label': words.pictures},
                ...pictureButtons),
        element('p', {class: 'walk-label'}, words.parts, ' ',
                button(words.back, walk(-1)), ' ', button(words.on, walk(1))),
        element('ol', {class: 'walk-net'}, ...partButtons.map((each) => element('li', {}, each))),
        element('p', {class: 'explore-key'}, words.key),
        facts, element('div', {class: 'walk-views'}, left, right), result,
        element('p', {class: 'explore-key'}, words.source(Math.round(100 * data.test_acc))));
    update();
}
