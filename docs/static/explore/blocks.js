// Notebook 07, figure 3: delete or swap blocks of trained nets, and see 500 test images sorted.

import {button, choice, element, spoken} from './controls.js';
import {readJSON, readNumbers} from './data.js';
import {loader, readIndex, run} from './nets.js';

const NETS = ['plain-20', 'ResNet-20', 'ResNet-56'];
const SHOWN = 40;  // images on the wall
const SIDE = 14;  // of an image, in pixels
const CELL = 3 * SIDE + 4;  // of the wall, in which it is drawn
const TRIES = 6;  // that are listed

const WORDS = {
    en: {intro: 'Three trained nets run here, in your browser, on 500 test images.',
         attempt: 'Try: touch a block to delete it, one of plain-20, then one of ResNet-56. What do you expect?',
         net: 'net', touch: 'a touch', modes: {delete: 'deletes', swap: 'swaps with the next'},
         stage: (n) => `stage ${n}`, block: (n) => `block ${n}`, back: 'put all back',
         wall: (right, all) => `${all} of the test images; ${right} are named rightly. A cross marks a mistake.`,
         right: (right, all) => `${right} of ${all} right`,
         key: 'Solid line: the whole net. Dotted: guessing, 50 of 500.',
         without: (blocks) => `without block${blocks.length > 1 ? 's' : ''} ${blocks.join(', ')}`,
         order: (parts) => `in the order ${parts.join(', ')}`, and: ', ', whole: 'whole',
         say: (net, change, right, all, error) => `${net} ${change}: ${right} of ${all} right, error `
            + `${error}\u00a0%.`,
         against: (error) => ` Whole: ${error}\u00a0%.`,
         tried: (net, change, error) => `${net} ${change}: error ${error}\u00a0%`,
         more: 'Then blocks 1 and 2 of ResNet-56; then four at once, and another four. Where the shape changes '
            + '(blocks 10 and 19 of ResNet-56, 4 and 7 of the others) option A takes the deleted block’s '
            + 'place, and no swap is possible.'},
    zh: {intro: '三个训练好的网络就在你的浏览器里运行，处理 500 张测试图像。',
         attempt: '试一试：点一个块，把它删掉。先删 plain-20 的，再删 ResNet-56 的。你预计会怎样？',
         net: '网络', touch: '点块时', modes: {delete: '删掉它', swap: '与下一个交换'},
         stage: (n) => `阶段 ${n}`, block: (n) => `块 ${n}`, back: '全部放回',
         wall: (right, all) => `${all} 张测试图像，其中 ${right} 张认对了。打叉的是认错的。`,
         right: (right, all) => `${all} 张中对了 ${right} 张`,
         key: '实线：完整的网络。点线：瞎猜（500 张中对 50 张）。',
         without: (blocks) => `删掉块 ${blocks.join('、')}`,
         order: (parts) => `顺序改为 ${parts.join('，')}`, and: '，', whole: '完整',
         say: (net, change, right, all, error) => `${net} ${change}：${all} 张中对了 ${right} 张，误差 ${error}%。`,
         against: (error) => `完整的网络：${error}%。`,
         tried: (net, change, error) => `${net} ${change}：误差 ${error}%`,
         more: '然后删 ResNet-56 的块 1 和块 2；再一次删四个，换不同的四个试几次。形状改变处的块（ResNet-56 的 10、19，'
            + '20 层网络的 4、7）删掉后由 A 方案顶替，也不能交换。'},
};

/** The order of a net's parts: {blocks: ['1', …] in their order, deleted: a Set, parts: the net's}. */
export function partsOf({blocks, deleted, parts}) {
    const wanted = blocks.map((block) => (deleted.has(block) ? `bare ${block}` : block));
    return ['stem', ...wanted.filter((part) => part in parts), 'head'];
}

/** Blocks that stay where they are when blocks are swapped: the shape changes in them. */
export function fixed(block, parts) {
    return `bare ${block}` in parts;
}

/** Which label each picture gets: the largest of its scores. */
export function answers(scores, classes) {
    return Array.from({length: scores.length / classes}, (_, i) => {
        const own = scores.subarray(i * classes, (i + 1) * classes);
        return own.indexOf(Math.max(...own));
    });
}

/** Where blocks have left their places: their numbers as they stand now, part by part. */
export function moved(blocks) {
    const parts = [];
    let most = 0, part = [];
    blocks.forEach((block, i) => {
        part.push(block);
        most = Math.max(most, Number(block));
        if (most > i + 1) return;
        if (part.length > 1) parts.push(part.join(' '));
        part = [];
    });
    return parts;
}

function errorOf(right, all) {
    return Math.round(100 * (1 - right / all));
}

export default async function mount(room, language) {
    const words = WORDS[language], index = await readIndex();
    const place = element('div', {class: 'explore-blocks'});
    room.append(element('p', {class: 'explore-try'}, words.attempt), element('p', {}, words.intro), place);
    place.append(loader({names: NETS, index, language, ready: async () => {
        const [pictures, labels] = await Promise.all([readNumbers('data/images.bin'), readJSON('data/labels.json')]);
        place.append(...laboratory({words, index, pictures, labels}));
    }}));
}

function laboratory({words, index, pictures, labels}) {
    const state = {net: 'plain-20', mode: 'delete', blocks: [], deleted: new Set(), right: []};
    const whole = {};  // net: how many of the 500 it gets right as it is
    const rows = element('div', {class: 'explore-rows'});
    const meter = meterOf(words, labels.length);
    const wall = element('canvas', {class: 'explore-wall', role: 'img', width: 10 * CELL,
                                    height: SHOWN / 10 * CELL});
    const tries = element('ol', {class: 'explore-tries'});
    const result = spoken();

    function reset() {
        state.blocks = Object.keys(index[state.net].parts).filter((part) => /^\d+$/.test(part));
        state.deleted.clear();
        compute();
    }

    function change() {
        const gone = state.blocks.filter((block) => state.deleted.has(block)), parts = moved(state.blocks);
        return [gone.length && words.without(gone), parts.length && words.order(parts)].filter(Boolean)
            .join(words.and);
    }

    function touch(i) {
        const block = state.blocks[i];
        if (state.mode === 'swap') {
            state.blocks.splice(i, 2, state.blocks[i + 1], block);
        } else if (!state.deleted.delete(block)) {
            state.deleted.add(block);
        }
        compute();
    }

    function compute() {
        const {net} = state, what = change();
        state.right = [];
        drawRows();
        const {parts, shape} = index[net];
        run({name: net, order: partsOf({...state, parts}), pictures, shape, series: 'test'},
            ({first, scores, done, error}) => {
                if (error) throw new Error(error);
                answers(scores, 10).forEach((label, i) => state.right.push(label === labels[first + i]));
                const right = state.right.filter(Boolean).length;
                if (done && !what) whole[net] = right;
                meter.show(right, state.right.length, whole[net]);
                if (first < SHOWN) drawWall();
                if (done) report(net, what, right);
            });
    }

    function report(net, what, right) {
        const all = labels.length, error = errorOf(right, all);
        result.textContent = words.say(net, what || words.whole, right, all, error)
            + (what && net in whole ? words.against(errorOf(whole[net], all)) : '');
        const text = words.tried(net, what || words.whole, error);
        [...tries.children].find((each) => each.textContent === text)?.remove();
        tries.prepend(element('li', {}, text,
            element('span', {class: `bar ${net.startsWith('plain') ? 'plain' : 'residual'}`,
                             style: `width: ${error}%`})));
        while (tries.children.length > TRIES) tries.lastChild.remove();
    }

    function drawRows() {
        const focused = [...rows.querySelectorAll('button')].indexOf(document.activeElement);
        const third = state.blocks.length / 3;
        rows.replaceChildren(...[0, 1, 2].map((stage) => element('div', {class: 'explore-row', role: 'group',
            'aria-label': words.stage(stage + 1)}, element('span', {}, words.stage(stage + 1)),
            ...state.blocks.slice(stage * third, (stage + 1) * third).map(
                (block, i) => blockButton(block, stage * third + i, third)))));
        rows.querySelectorAll('button')[focused]?.focus();
    }

    function blockButton(block, i, third) {
        const {parts} = index[state.net], last = (i + 1) % third === 0;
        const stuck = state.mode === 'swap' && (last || fixed(block, parts));
        return button(block, () => touch(i), {'aria-label': words.block(block),
            'aria-pressed': String(state.deleted.has(block)), ...(stuck ? {disabled: ''} : {})});
    }

    function drawWall() {
        const pen = wall.getContext('2d');
        state.right.slice(0, SHOWN).forEach((right, i) => {
            const x = i % 10 * CELL, y = Math.floor(i / 10) * CELL;
            drawPicture(pen, pictures.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), x, y);
            if (!right) cross(pen, x, y, 3 * SIDE);
        });
        const right = state.right.slice(0, SHOWN).filter(Boolean).length;
        wall.setAttribute('aria-label', words.wall(right, SHOWN));
    }

    reset();
    return [
        element('div', {class: 'explore-controls'},
            choice({label: words.net, options: NETS.map((net) => [net, net]), value: state.net,
                    onchange: (net) => { state.net = net; reset(); }}),
            choice({label: words.touch, options: Object.entries(words.modes), value: state.mode,
                    onchange: (mode) => { state.mode = mode; drawRows(); }})),
        rows, button(words.back, reset), meter.node, element('p', {class: 'explore-key'}, words.key),
        result, wall, tries, element('p', {class: 'explore-key'}, words.more)];
}

/** A bar from 0 to all, with a line at the whole net's value and one at guessing: {node, show}. */
function meterOf(words, all) {
    const bar = element('span', {class: 'bar'});
    const tick = element('span', {class: 'tick'});
    const text = element('span', {class: 'text'});
    const node = element('div', {class: 'explore-meter'}, bar, tick,
                         element('span', {class: 'tick guess'}), text);
    return {node, show(right, count, whole) {
        bar.style.width = `${100 * right / count}%`;
        tick.style.left = `${100 * (whole ?? right) / all}%`;
        text.textContent = words.right(right, count);
    }};
}

function drawPicture(pen, pixels, left, top) {
    pixels.forEach((value, i) => {
        const grey = Math.round(255 * value);
        pen.fillStyle = `rgb(${grey} ${grey} ${grey})`;
        pen.fillRect(left + i % SIDE * 3, top + Math.floor(i / SIDE) * 3, 3, 3);
    });
}

function cross(pen, left, top, side) {
    pen.lineWidth = 4;
    for (const colour of ['#000', '#ff9a52']) {
        pen.strokeStyle = colour;
        pen.beginPath();
        pen.moveTo(left + 4, top + 4);
        pen.lineTo(left + side - 4, top + side - 4);
        pen.moveTo(left + side - 4, top + 4);
        pen.lineTo(left + 4, top + side - 4);
        pen.stroke();
        pen.lineWidth = 2.5;
    }
}
