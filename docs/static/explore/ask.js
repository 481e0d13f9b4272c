// Notebooks 04 and 09: what a trained net says of a drawing, an example, or a picture of the reader's.

import {button, choice, element, spoken} from './controls.js';
import {decode, readJSON} from './data.js';
import {CHINESE} from './names.js';
import {loader, readIndex, run, softmax} from './nets.js';

const WATCHED = ['stem', '3', '6', '9'];  // the stem, and the last blocks of the three stages
const MAPS = 8;  // feature maps of each that are shown

const WORDS = {
    en: {draw: 'Draw here:', examples: 'Or take one of these:', example: (name) => `example: ${name}`,
         own: 'Or a picture of yours (it does not leave your browser):', clear: 'clear', invert: 'dark ↔ light',
         tool: 'tool', pen: 'pen', smudge: 'smudge (takes the colour under your finger)', colour: 'colour',
         move: {ArrowLeft: 'move left', ArrowUp: 'move up', ArrowDown: 'move down', ArrowRight: 'move right'},
         sees: 'The net sees:', stem: 'stem', stage: (n) => `stage ${n}`, bars: 'probabilities',
         maps: 'Feature maps, the eight that vary most over this picture:',
         map: (name, n) => `${name}: feature map ${n}`, name: (name) => name,
         unreadable: 'This file is no picture that your browser can read.',
         say: (name, share) => `It says ${name}, ${share}`, second: (name, share) => `; then ${name}, ${share}`,
         blank: 'The sheet is empty. ', stop: '.', percent: (number) => `${number}\u00a0%`},
    zh: {draw: '在这里画：', examples: '或者选一张：', example: (name) => `例子：${name}`,
         own: '或者用你自己的图片（不会离开你的浏览器）：', clear: '清空', invert: '明暗互换',
         tool: '工具', pen: '画笔', smudge: '涂抹（用落笔处的颜色）', colour: '颜色',
         move: {ArrowLeft: '左移', ArrowUp: '上移', ArrowDown: '下移', ArrowRight: '右移'},
         sees: '网络看到的：', stem: '起始层', stage: (n) => `阶段 ${n}`, bars: '概率',
         maps: '特征图，在这张图片上变化最大的八幅：', map: (name, n) => `${name}：第 ${n} 幅特征图`,
         name: (name) => CHINESE[name],
         unreadable: '浏览器读不了这个文件，它不是图片。',
         say: (name, share) => `它说是${name}，${share}`, second: (name, share) => `；其次是${name}，${share}`,
         blank: '纸上什么也没有。', stop: '。', percent: (number) => `${number}%`},
};
const SYMBOLS = {ArrowLeft: '←', ArrowUp: '↑', ArrowDown: '↓', ArrowRight: '→'};

/**
 * Fills a room: {net: its name; pictures: how many have tested it; attempt, hint and intro(how many of
 * them were right): texts; brush: its width as a share of the side; ground and ink: colours}.
 */
export async function ask(room, language, options) {
    const words = WORDS[language], index = await readIndex(), net = index[options.net];
    const right = Math.round(options.pictures * net.accuracy).toLocaleString('en');
    room.append(element('p', {class: 'explore-try'}, options.attempt), element('p', {}, options.intro(right)));
    room.append(loader({names: [options.net], index, language, ready: async () => {
        const examples = (await readJSON('data/examples.json'))[options.net];
        room.append(...desk({words, options, examples, ...net}));
    }}));
}

// What of red, green and blue goes into each channel of the net: brightness alone, or each by itself.
const MIXTURES = {1: [[0.299, 0.587, 0.114]], 3: [[1, 0, 0], [0, 1, 0], [0, 0, 1]]};

/** The numbers of a canvas as the net takes them: means of squares of pixels, channel by channel. */
export function pixelsOf({data, width}, [channels, side]) {
    const step = width / side, pixels = new Float32Array(channels * side * side);
    for (let i = 0; i < width * width; i += 1) {
        const x = Math.floor(i % width / step), y = Math.floor(i / width / step);
        MIXTURES[channels].forEach(([red, green, blue], channel) => {
            pixels[(channel * side + y) * side + x] += (red * data[4 * i] + green * data[4 * i + 1]
                + blue * data[4 * i + 2]) / 255 / step ** 2;
        });
    }
    return pixels;
}

/** The channels whose maps vary most, and the maps: [[number, Float32Array], …]. */
export function liveliest({data, dims: [, channels, height, width]}, count) {
    const maps = Array.from({length: channels}, (_, i) => data.subarray(i * height * width,
                                                                       (i + 1) * height * width));
    const variance = (map) => {
        const mean = map.reduce((a, b) => a + b) / map.length;
        return map.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    };
    return maps.map((map, i) => [i, map, variance(map)]).sort((a, b) => b[2] - a[2]).slice(0, count);
}

function desk({words, options, examples, shape, classes, parts}) {
    const [channels, side] = shape, scale = Math.floor(320 / side);
    const paper = element('canvas', {class: 'explore-paper', width: side * scale, height: side * scale,
                                     tabindex: 0, role: 'img', 'aria-label': words.draw});
    const pen = paper.getContext('2d', {willReadFrequently: true});
    const order = ['stem', ...Object.keys(parts).filter((part) => /^\d+$/.test(part)), 'head'];
    const ink = element('input', {type: 'color', value: options.ink});
    const sees = element('div', {class: 'explore-row explore-sees'});
    const bars = barsOf(classes, words), maps = element('div', {class: 'explore-maps'});
    const result = spoken();
    const state = {blank: false, smudge: false};
    let busy = false, again = false;

    function look() {
        if (busy) { again = true; return; }  // the last picture counts, not each
        busy = true;
        const pixels = pixelsOf(pen.getImageData(0, 0, paper.width, paper.height), shape);
        sees.replaceChildren(element('span', {}, words.sees), painted(side, side, words.sees,
            (i, c) => 255 * pixels[(c % channels) * side * side + i]));
        run({name: options.net, order, pictures: pixels, shape, watched: WATCHED},
            ({scores, values, error}) => {
                busy = false;
                if (error) throw new Error(error);
                show(softmax(scores), values);
                if (again) { again = false; look(); }
            });
    }

    function show(probabilities, values) {
        bars.show(probabilities);
        result.textContent = (state.blank ? words.blank : '') + saying(classes, probabilities, words);
        maps.replaceChildren(...WATCHED.map((part, i) => {
            const name = i ? words.stage(i) : words.stem, [, , height, width] = values[part].dims;
            const most = liveliest(values[part], MAPS), top = Math.max(...most.map(([, map]) => Math.max(...map)));
            return element('div', {class: 'explore-row'}, element('span', {}, name), ...most.map(
                ([n, map]) => painted(height, width, words.map(name, n + 1), (pixel) => 255 * map[pixel] / top)));
        }));
    }

    function fill(draw, blank = false) {
        pen.fillStyle = options.ground;
        pen.fillRect(0, 0, paper.width, paper.height);
        draw();
        state.blank = blank;
        look();
    }

    function invert() {
        const image = pen.getImageData(0, 0, paper.width, paper.height);
        image.data.forEach((value, i) => { if (i % 4 < 3) image.data[i] = 255 - value; });
        pen.putImageData(image, 0, 0);
        look();
    }

    /** Moves the picture by one of the net's pixels. */
    function move(key) {
        const [x, y] = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[key];
        const image = pen.getImageData(0, 0, paper.width, paper.height);
        fill(() => pen.putImageData(image, x * scale, y * scale));
    }

    async function open(file) {
        try {
            const picture = await createImageBitmap(file);
            const edge = Math.min(picture.width, picture.height);
            fill(() => pen.drawImage(picture, (picture.width - edge) / 2, (picture.height - edge) / 2, edge, edge,
                                     0, 0, paper.width, paper.height));
        } catch {
            result.textContent = words.unreadable;
        }
    }

    function colourAt([x, y]) {
        if (!state.smudge) return ink.value;
        const [red, green, blue] = pen.getImageData(x, y, 1, 1).data;
        return `rgb(${red} ${green} ${blue})`;
    }

    takeStrokes(paper, pen, colourAt, options.brush * paper.width, () => { state.blank = false; look(); });
    paper.addEventListener('keydown', (event) => {
        if (!(event.key in SYMBOLS)) return;
        event.preventDefault();
        move(event.key);
    });
    const file = element('input', {type: 'file', accept: 'image/*', onchange: () => open(file.files[0])});
    const numbers = decode(examples);
    const samples = classes.map((name, n) => {
        const canvas = painted(side, side, '', (i, c) => numbers[(n * side * side + i) * channels + c % channels]);
        return element('button', {type: 'button', class: 'explore-button explore-sample',
                                  'aria-label': words.example(words.name(name)), onclick() {
            file.value = '';  // its name no longer says what is seen
            fill(() => {
                pen.imageSmoothingEnabled = false;
                pen.drawImage(canvas, 0, 0, paper.width, paper.height);
            });
        }}, canvas);
    });
    samples[0].click();
    return [
        element('div', {class: 'explore-desk'},
            element('div', {}, element('p', {class: 'explore-label'}, words.draw), paper,
                element('div', {class: 'explore-row'},
                    button(words.clear, () => fill(() => {}, true)),
                    ...Object.entries(SYMBOLS).map(([key, symbol]) => button(
                        symbol, () => move(key), {'aria-label': words.move[key]})),
                    channels === 1 ? button(words.invert, invert) : '')),
            element('div', {}, bars.node, result)),
        choice({label: words.tool, value: 'pen', options: [['pen', words.pen], ['smudge', words.smudge]],
                onchange: (tool) => { state.smudge = tool === 'smudge'; }}),
        channels === 1 ? '' : element('label', {}, `${words.colour} `, ink),
        element('p', {class: 'explore-label'}, words.examples),
        element('div', {class: 'explore-row'}, ...samples),
        element('label', {class: 'explore-label'}, `${words.own} `, file),
        sees,
        element('p', {class: 'explore-label'}, words.maps), maps,
        element('p', {class: 'explore-key'}, options.hint)];
}

/** A share of 1 in per cent, never rounded to none or all of it. */
function percent(share, words) {
    if (share > 0.999) return `>\u00a0${words.percent(99.9)}`;
    if (share < 0.001) return `<\u00a0${words.percent(0.1)}`;
    return words.percent((100 * share).toFixed(share > 0.99 || share < 0.01 ? 1 : 0));
}

/** The first answer in words, and the second if there is anything left for it. */
function saying(classes, probabilities, words) {
    const [first, second] = classes.map((name, i) => [words.name(name), probabilities[i]])
        .sort((a, b) => b[1] - a[1]);
    return words.say(first[0], percent(first[1], words))
        + (second[1] < 0.01 ? '' : words.second(second[0], percent(second[1], words)))
        + words.stop;
}

/** A bar for each class: {node, show(probabilities)}. */
function barsOf(classes, words) {
    const rows = classes.map((name) => {
        const bar = element('span', {class: 'bar'}), value = element('span', {class: 'value'});
        return {bar, value, row: element('div', {class: 'explore-bar'},
            element('span', {}, words.name(name)), element('span', {class: 'track'}, bar), value)};
    });
    return {node: element('div', {role: 'group', 'aria-label': words.bars}, ...rows.map(({row}) => row)),
            show: (probabilities) => rows.forEach(({bar, value}, i) => {
                bar.style.width = `${100 * probabilities[i]}%`;
                value.textContent = percent(probabilities[i], words);
            })};
}

/** A canvas with a name; shade(pixel, channel) is from 0 to 255. */
function painted(height, width, name, shade) {
    const canvas = element('canvas', {class: 'explore-map', width, height,
                                      ...(name ? {role: 'img', 'aria-label': name} : {})});
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i += 1) {
        image.data.set([shade(i, 0), shade(i, 1), shade(i, 2), 255], 4 * i);
    }
    canvas.getContext('2d').putImageData(image, 0, 0);
    return canvas;
}

/** A finger or mouse draws on the paper; colourAt(where it begins). */
function takeStrokes(paper, pen, colourAt, width, then) {
    let last = null;
    const at = (event) => {
        const box = paper.getBoundingClientRect();
        return [(event.clientX - box.left) * paper.width / box.width,
                (event.clientY - box.top) * paper.height / box.height];
    };
    const stroke = (event) => {
        const next = at(event);
        pen.lineWidth = width;
        pen.lineCap = 'round';
        pen.beginPath();
        pen.moveTo(...last);
        pen.lineTo(...next);
        pen.stroke();
        last = next;
        then();
    };
    paper.addEventListener('pointerdown', (event) => {
        paper.setPointerCapture(event.pointerId);
        last = at(event);
        pen.strokeStyle = colourAt(last);
        stroke(event);
    });
    paper.addEventListener('pointermove', (event) => { if (last) stroke(event); });
    for (const end of ['pointerup', 'pointercancel']) paper.addEventListener(end, () => { last = null; });
}
