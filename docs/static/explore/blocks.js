// Notebook 07, figure 3: delete or swap blocks of trained nets, and see 500 test images sorted.

import {button, choice, element, spoken} from './controls.js';
import {readJSON, readNumbers} from './data.js';
import {loader, readIndex, run} from './nets.js';

const NETS = ['plain-20', 'ResNet-20', 'ResNet-56'];
const SHOWN = 40;  // images on the wall
const SIDE = 14;  // of an image, in pixels
const CELL = 3 * SIDE + 4;  // of the wall, in which it is drawn
const TRIES = 10;  // that are listed

const WORDS = {
    en: {intro: 'Three trained nets run here, in your browser, on 500 test images.',
         attempt: 'Try: touch a block to delete it, then a second one. Do two cost twice as much as one? And two '
            + 'that are swapped?',
         net: 'net', touch: 'a touch', modes: {delete: 'deletes', swap: 'swaps with the next'},
         stage: (n) => `stage ${n}`, block: (n) => `block ${n}`, back: 'put all back',
         wall: (wrong, all) => `${all} of the test images, of which ${wrong} are crossed: wrong.`,
         wrong: (wrong, all) => `${wrong} of ${all} wrong`,
         key: 'Solid line: the whole net. Dotted: guessing, 450 of 500.',
         crossed: `${SHOWN} of the 500 images; crossed: wrong.`,
         without: (blocks) => `without block${blocks.length > 1 ? 's' : ''} ${blocks.join(', ')}`,
         order: (parts) => `with ${parts.join(', ')}`, and: ', ', whole: 'whole',
         say: (net, change, wrong, all, error) => `${net} ${change}: ${wrong} of ${all} wrong, error `
            + `${error}\u00a0%.`,
         against: (error) => ` Whole: ${error}\u00a0%.`,
         tried: (net, change, error) => `${net} ${change}: error ${error}\u00a0%`,
         more: 'Then blocks 1 and 2 of ResNet-56; then four at once, and another four. Where the shape changes '
            + '(blocks 10 and 19 of ResNet-56, 4 and 7 of the others) option A takes the deleted block’s '
            + 'place, and no swap is possible; nor has the last block of a stage a next one.'},
    zh: {intro: '三个训练好的网络就在你的浏览器里运行，处理 500 张测试图像。',
         attempt: '试一试：点一个块，把它删掉，再删第二个。删两个的代价是删一个的两倍吗？交换两个呢？',
         net: '网络', touch: '点块时', modes: {delete: '删掉它', swap: '与下一个交换'},
         stage: (n) => `阶段 ${n}`, block: (n) => `块 ${n}`, back: '全部放回',
         wall: (wrong, all) => `${all} 张测试图像，其中 ${wrong} 张打了叉：认错了。`,
         wrong: (wrong, all) => `${all} 张中错了 ${wrong} 张`,
         key: '实线：完整的网络。点线：瞎猜（500 张中错 450 张）。',
         crossed: `500 张中的 ${SHOWN} 张；打叉的是认错的。`,
         without: (blocks) => `删掉块 ${blocks.join('、')}`,
         order: (parts) => `交换 ${parts.join('，')}`, and: '，', whole: '完整',
         say: (net, change, wrong, all, error) => `${net} ${change}：${all} 张中错了 ${wrong} 张，误差 ${error}%。`,
         against: (error) => `完整的网络：${error}%。`,
         tried: (net, change, error) => `${net} ${change}：误差 ${error}%`,
         more: '然后删 ResNet-56 的块 1 和块 2；再一次删四个，换不同的四个试几次。形状改变处的块（ResNet-56 的 10、19，'
            + '20 层网络的 4、7）删掉后由 A 方案顶替，也不能交换；每个阶段的最后一块没有下一个可换。'},
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

/** Where blocks have left their places, part by part: '2↔3', or '2 3 4 → 3 4 2'. */
export function moved(blocks) {
    const parts = [];
    let most = 0, part = [];
    blocks.forEach((block, i) => {
        part.push(block);
        most = Math.max(most, Number(block));
        if (most > i + 1) return;
        const before = [...part].sort((a, b) => a - b);
        if (part.length === 2) parts.push(before.join('↔'));
        if (part.length > 2) parts.push(`${before.join(' ')} → ${part.join(' ')}`);
        part = [];
    });
    return parts;
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
    const state = {net: 'plain-20', mode: 'delete', blocks: [], deleted: new Set(), wrong: []};
    const whole = {};  // net: how many of the 500 it gets wrong as it is
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
        const gone = state.blocks.filter((block) => state.deleted.has(block));
        const parts = moved(state.blocks);
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
        state.wrong = [];
        drawRows();
        const {parts, shape} = index[net];
        run({name: net, order: partsOf({...state, parts}), pictures, shape, series: 'test'},
            ({first, scores, done, error}) => {
                if (error) throw new Error(error);
                answers(scores, 10).forEach((label, i) => state.wrong.push(label !== labels[first + i]));
                const wrong = state.wrong.filter(Boolean).length;
                if (done && !what) whole[net] = wrong;
                meter.show(wrong, state.wrong.length, whole[net]);
                if (first < SHOWN) drawWall();
                if (done) report(net, what, wrong);
            });
    }

    function report(net, what, wrong) {
        const all = labels.length, error = Math.round(100 * wrong / all);
        result.textContent = words.say(net, what || words.whole, wrong, all, error)
            + (what && net in whole ? words.against(Math.round(100 * whole[net] / all)) : '');
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
        state.wrong.slice(0, SHOWN).forEach((wrong, i) => {
            const x = i % 10 * CELL, y = Math.floor(i / 10) * CELL;
            drawPicture(pen, pictures.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE), x, y);
            if (wrong) cross(pen, x, y, 3 * SIDE);
        });
        wall.setAttribute('aria-label', words.wall(state.wrong.slice(0, SHOWN).filter(Boolean).length, SHOWN));
    }

    reset();
    return [
        element('div', {class: 'explore-controls'},
            choice({label: words.net, options: NETS.map((net) => [net, net]), value: state.net,
                    onchange: (net) => { state.net = net; reset(); }}),
            choice({label: words.touch, options: Object.entries(words.modes), value: state.mode,
                    onchange: (mode) => { state.mode = mode; drawRows(); }})),
        rows, button(words.back, reset), meter.node, element('p', {class: 'explore-key'}, words.key),
        result, wall, element('p', {class: 'explore-key'}, words.crossed), tries, element('p', {class: 'explore-key'}, words.more)];
}

/** A bar from 0 to all, with a line at the whole net's value and one at guessing: {node, show}. */
function meterOf(words, all) {
    const bar = element('span', {class: 'bar'});
    const tick = element('span', {class: 'tick'});
    const text = element('span', {class: 'text'});
    const node = element('div', {class: 'explore-meter'}, bar, tick,
                         element('span', {class: 'tick guess'}), text);
    return {node, show(wrong, count, whole) {
        bar.style.width = `${100 * wrong / count}%`;
        tick.style.left = `${100 * (whole ?? wrong) / all}%`;
        text.textContent = words.wrong(wrong, count);
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
