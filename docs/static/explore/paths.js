// Notebook 02, below figure 9: n residual blocks are 2ⁿ paths, a plain net is one.

import {button, choice, element, newId, slider, spoken, svg} from './controls.js';

const WORDS = {
    en: {attempt: 'Try: press a block to delete it. How many paths are left, and how many in a plain net?',
         blocks: 'blocks n', kind: 'net', residual: 'residual net', plain: 'plain net',
         remove: (block) => `delete block ${block}`,
         hint: 'Choose a path, and see it in the net above (the chosen one has a thick purple frame).',
         through: (k, n) => `through ${k === n ? 'all' : ['none', 'one', 'two', 'three', 'four'][k]}`,
         left: (left, all) => left === all ? `${all}` : `${left} of ${all} left`,
         path: (blocks, whole) => `through ${blocks.join(', ') || 'no block'}${whole ? '' : ', cut'}`,
         chain: (n, path) => `A chain of n = ${n}; a thick line shows the path ${path}.`,
         onlyOne: (n) => `${n} ${n === 1 ? 'block' : 'blocks'}, only 1 path: through all.`,
         say: (n, groups) => `${n} ${n === 1 ? 'block' : 'blocks'}, ${countAll(groups)} paths: `
             + `${groups.map(({chips, through}) => `${chips.length} ${through}`).join(', ')}.`,
         without: (blocks, left) => ` Without ${blocks.join(', ')}: ${left || 'none'} left.`,
         rule: 'The page lists all paths by one rule: a path goes through each block or skips it.',
         plainRule: 'The page lists all paths by one rule: without shortcuts a path goes through every block.'},
    zh: {attempt: '试一试：点一个块，把它删掉。还剩几条路径，换成普通网络呢？',
         blocks: '块数 n', kind: '网络', residual: '残差网络', plain: '普通网络',
         remove: (block) => `删掉块 ${block}`,
         hint: '选一条路径，看它在上面的网络里怎么走（紫红色粗框的是选中的）。',
         through: (k, n) => k === 0 ? '不穿过任何块'
             : `穿过${k === n ? '所有' : ['', '一个', '两个', '三个', '四个'][k]}块`,
         left: (left, all) => left === all ? `${all} 条` : `还剩 ${left} 条`,
         path: (blocks, whole) => (blocks.length ? `穿过 ${blocks.join('、')}` : '不穿过任何块')
             + (whole ? '' : '，断了'),
         chain: (n, path) => `一条链，n = ${n}；粗线画出一条路径：${path}。`,
         onlyOne: (n) => `${n} 个块，只有 1 条路径，穿过所有块。`,
         say: (n, groups) => `${n} 个块，${countAll(groups)} 条路径：`
             + `${groups.map(({chips, through}) => `${chips.length} 条${through}`).join('，')}。`,
         without: (blocks, left) => `删掉 ${blocks.join('、')}：${left ? `还剩 ${left} 条` : '一条也不剩'}。`,
         rule: '本页按一条规则列出所有路径：每遇到一个块，路径或者穿过，或者跳过。',
         plainRule: '本页按一条规则列出所有路径：没有捷径，路径只能穿过每一个块。'},
};

/** All paths through n blocks, the shortest first: for each block, whether the path passes it. */
export function pathsThrough(n) {
    const paths = Array.from({length: 2 ** n}, (_, number) =>
        Array.from({length: n}, (_, block) => (number >> (n - 1 - block)) % 2 === 0));
    return paths.sort((one, other) => length(one) - length(other));
}

/** How many blocks a path passes. */
export function length(path) {
    return path.filter(Boolean).length;
}

/** The first deleted block that a path would pass; its length in blocks if there is none. */
export function cutAt(path, deleted) {
    const cut = path.findIndex((passed, block) => passed && deleted.has(block));
    return cut === -1 ? path.length : cut;
}

export function isWhole(path, deleted) {
    return cutAt(path, deleted) === path.length;
}

function nameOf(block) {
    return `F${'₁₂₃₄₅'[block]}`;
}

function countAll(groups) {
    return groups.reduce((sum, {chips}) => sum + chips.length, 0);
}

/** The names of the blocks that a path passes. */
function passedBy(path) {
    return path.flatMap((passed, block) => passed ? [nameOf(block)] : []);
}

// The chain is drawn for at most five blocks; fewer stand in the middle. Within a block's cell:
// where the shortcut leaves, the block F, and the addition.
const MOST = 5, CELL = 58, WIDTH = 324, HEIGHT = 84, ENDS = 22;
const FORK = 3, BOX = 8, SIZE = 36, PLUS = 51, LINE = 58, ARC = 14;

function cellAt(block, n) {
    return ENDS + (MOST - n) * CELL / 2 + block * CELL;
}

/** The lines of the net, and over them the way of the path that is lit, up to where it is cut. */
function wires({n, plain, deleted}, lit) {
    const start = cellAt(0, n) - 6, end = cellAt(n, n) + 3;
    const branch = (x) => `M${x + FORK} ${LINE}H${x + PLUS}`;
    const arc = (x) => `M${x + FORK} ${LINE}V${ARC + 8}q0 -8 8 -8H${x + PLUS - 8}q8 0 8 8V${LINE}`;
    const joint = (x) => `M${x + PLUS - CELL} ${LINE}H${x + FORK}`;
    const entry = `M${start} ${LINE}H${start + 9}`, exit = `M${end - 10} ${LINE}H${end}`;
    const cut = cutAt(lit, deleted), whole = cut === n;
    const drawn = [line(entry + exit, 'strong')], way = [entry, whole ? exit : ''];
    for (let block = 0; block < n; block += 1) {
        const x = cellAt(block, n);
        drawn.push(line(branch(x), deleted.has(block) ? 'quiet thin dashed' : 'strong'));
        if (!plain) drawn.push(line(arc(x), 'residual'));
        if (block > 0) drawn.push(line(joint(x), 'strong'));
        if (block > 0 && block <= cut) way.push(joint(x));
        if (block < cut) way.push(lit[block] ? branch(x) : arc(x));
        if (block === cut) way.push(`M${x + FORK} ${LINE}H${x + BOX}`);
    }
    return [
        ...drawn, line(way.join(''), 'marked lit'), arrow(end, whole ? 'marked' : 'strong'),
        svg('text', {x: start - 7, y: LINE + 5, 'text-anchor': 'middle', class: 'paths-input'}, 'x'),
        ...plain ? [] : Array.from({length: n}, (_, block) => addition(cellAt(block, n) + PLUS)),
    ];
}

function line(d, look) {
    return svg('path', {class: `line ${look}`, d});
}

function arrow(x, look) {
    return svg('path', {class: `dot ${look}`, d: `M${x} ${LINE - 5}l9 5l-9 5z`});
}

function addition(x) {
    return svg('g', {class: 'paths-addition'}, svg('circle', {cx: x, cy: LINE, r: 5.5}),
               svg('path', {d: `M${x - 3} ${LINE}h6M${x} ${LINE - 3}v6`}));
}

/** A path as a line with a box for each block that it passes. */
function glyph(path) {
    const width = 10 * path.length + 2;
    return svg('svg', {viewBox: `0 0 ${width} 12`, 'aria-hidden': 'true'},
        svg('path', {d: `M0 6H${width}`}),
        ...path.flatMap((passed, block) =>
            passed ? [svg('rect', {x: 10 * block + 2, y: 2, width: 8, height: 8, rx: 1.5})] : []));
}

export default function mount(room, language) {
    const words = WORDS[language];
    const state = {n: 3, plain: false, deleted: new Set(), chosen: [true, false, true, false, true]};
    const picture = svg('svg', {class: 'explore-plot', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img'});
    const chain = element('div', {class: 'paths-chain'});
    const hint = element('p', {class: 'explore-key', id: newId()}, words.hint);
    const rows = element('div', {class: 'paths-rows', role: 'radiogroup', 'aria-labelledby': hint.id});
    const rule = element('p', {class: 'explore-key'});
    const result = spoken();
    let blocks, groups;  // of the net as it is built

    function build() {
        const {n, plain} = state;
        const paths = plain ? [Array(n).fill(true)] : pathsThrough(n);
        const group = newId();
        blocks = Array.from({length: n}, (_, block) => blockButton(block));
        groups = [...new Set(paths.map(length))].map((k) => ({
            through: words.through(k, n), count: element('span'),
            chips: paths.filter((path) => length(path) === k).map((path) => chip(path, group))}));
        hint.hidden = plain;  // with one path there is no choice
        rule.textContent = plain ? words.plainRule : words.rule;
        chain.replaceChildren(picture, ...blocks);
        rows.replaceChildren(...groups.map(({through, count, chips}) => element('div', {class: 'paths-row'},
            element('div', {}, element('span', {}, through), count),
            element('div', {class: 'paths-chips'}, ...chips.map(({node}) => node)))));
        update();
    }

    function blockButton(block) {
        const percent = (part, whole) => `${100 * part / whole}%`;
        return button(nameOf(block), () => {
            if (!state.deleted.delete(block)) state.deleted.add(block);
            update();
        }, {'class': 'explore-button paths-block', 'aria-label': words.remove(nameOf(block)),
            style: `left: ${percent(cellAt(block, state.n) + BOX, WIDTH)}; width: ${percent(SIZE, WIDTH)};`
                + `top: ${percent(LINE - SIZE / 2, HEIGHT)}; height: ${percent(SIZE, HEIGHT)}`});
    }

    function chip(path, group) {
        const lit = path.every((passed, block) => passed === litPath()[block]);
        const input = element('input', {type: 'radio', name: group, checked: lit ? '' : undefined,
            onchange: () => {
                state.chosen.splice(0, path.length, ...path);
                update();
            }});
        return {path, input, node: element('label', {class: 'paths-chip'}, glyph(path), input)};
    }

    function litPath() {
        return state.plain ? Array(state.n).fill(true) : state.chosen.slice(0, state.n);
    }

    function update() {
        const {n, plain, deleted} = state, lit = litPath();
        picture.replaceChildren(...wires(state, lit));
        picture.setAttribute('aria-label', words.chain(n, words.path(passedBy(lit), isWhole(lit, deleted))));
        blocks.forEach((each, block) => {
            each.setAttribute('aria-pressed', deleted.has(block));
            each.classList.toggle('marked', lit[block] && block <= cutAt(lit, deleted));
        });
        groups.forEach(crossOut);
        const left = groups.flatMap(({chips}) => chips).filter(({path}) => isWhole(path, deleted));
        result.textContent = (plain ? words.onlyOne(n) : words.say(n, groups))
            + (deleted.size ? words.without([...deleted].sort().map(nameOf), left.length) : '');
    }

    function crossOut({chips, count}) {
        let left = 0;
        for (const {path, input} of chips) {
            const whole = isWhole(path, state.deleted);
            input.setAttribute('aria-label', words.path(passedBy(path), whole));
            input.classList.toggle('cut', !whole);
            left += whole;
        }
        count.textContent = words.left(left, chips.length);
    }

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        element('div', {class: 'explore-controls'},
            slider({label: words.blocks, min: 1, max: MOST, value: state.n, oninput: (n) => {
                state.n = n;
                state.deleted.clear();
                build();
            }}),
            choice({label: words.kind, value: 'residual',
                    options: [['residual', words.residual], ['plain', words.plain]],
                    onchange: (kind) => { state.plain = kind === 'plain'; build(); }})),
        chain, result, rule, hint, rows);
    build();
}
