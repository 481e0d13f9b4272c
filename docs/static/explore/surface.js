// Notebook 07, figure 10: the loss around two trained nets, as surfaces to turn, and cuts through them.

import {choice, element, slider, spoken} from './controls.js';
import {readJSON} from './data.js';
import {plot} from './plot.js';

const NETS = ['ResNet-56', 'plain-56'];
const LOOKS = {'ResNet-56': 'residual', 'plain-56': 'plain'};
const GUESSING = Math.log(10);  // what it costs to call ten classes equally likely
const HIGHEST = 16;             // of the axis of losses
const TICKS = [0, 4, 8, 12, 16];
const LEVELS = [0.5, 1, 1.5, 2, 4, 8, 12];  // of figure 10, which also has GUESSING
const TALL = 1.6;               // the length of that axis, where α and β go from −1 to 1
const ROOM = {wide: 3.4, tall: 3.3};  // what fits into a picture however it is turned, in the same unit

const WORDS = {
    en: {
        show: 'surface', both: 'both', turn: 'turn', tilt: 'tilt', beta: 'cut through both at β',
        degrees: (number) => `${number}°`.replace('-', '−'), loss: 'loss', alpha: 'step α',
        drag: 'Drag a surface to turn it.', cut: 'the cut', guessing: 'guessing, ln 10 = 2.3',
        levels: 'thin contours: 0.5, 1, 1.5, 2, 4, 8, 12, as in figure\u00a010',
        title: (net, centre) => `${net}: ${centre} in the centre`,
        picture: (net, low, high) => `The loss around ${net} as a surface, from ${low} to ${high}`,
        ranges: ([a, b]) => `ResNet-56 lowest ${a.low}, highest ${a.high}; `
            + `plain-56 lowest ${b.low}, highest ${b.high}`,
        say: (beta, ranges, [a, b]) => `Cut at β = ${beta}: ${ranges}. `
            + `In the centre, α\u00a0=\u00a0β\u00a0=\u00a00: ${a} and ${b}.`,
        attempt: 'Try: turn to 0°, tilt to 90°, and you look straight down, as in figure 10. Then move the '
            + 'cut: from which β on is plain-56, the worse net, the lower one from end to end?',
        source: 'Recorded: 31 × 31 losses for each net, on the images and in the directions of figure 10. '
            + 'Small dents make plain-56’s contour at 2.3 ragged. '
            + 'Both heights are on one scale. Compare flatness only between nets of similar loss. And these '
            + 'are 2 of 850,000 directions: a dented slice proves a loss that is not convex, a smooth '
            + 'one nothing.',
    },
    zh: {
        show: '曲面', both: '两个都看', turn: '转动', tilt: '俯角', beta: '截线所在的 β',
        degrees: (number) => `${number}°`.replace('-', '−'), loss: '损失', alpha: '沿 δ 走的距离 α',
        drag: '拖动曲面就能转动它。', cut: '截线', guessing: '瞎猜，ln 10 = 2.3',
        levels: '细等高线：0.5、1、1.5、2、4、8、12，同图\u00a010',
        title: (net, centre) => `${net}：中心为 ${centre}`,
        picture: (net, low, high) => `${net} 周围的损失画成曲面，从 ${low} 到 ${high}`,
        ranges: ([a, b]) => `ResNet-56 最低 ${a.low}，最高 ${a.high}；`
            + `plain-56 最低 ${b.low}，最高 ${b.high}`,
        say: (beta, ranges, [a, b]) => `β = ${beta} 处的截线：${ranges}。`
            + `中心 α\u00a0=\u00a0β\u00a0=\u00a00 处：${a} 和 ${b}。`,
        attempt: '试一试：转动调到 0°，俯角调到 90°，相当于从正上方看图 10。'
            + '再移动截线：β 取多少时，较差的 plain-56 反而处处低于 ResNet-56？',
        source: '数据是事先录制的：每个网络 31 × 31 个损失，图像和方向与图 10 相同。plain-56 的那条紫红色等高线'
            + '参差不齐，是因为有些小坑洼。两个曲面的高度用同一标尺。'
            + '要比较平坦程度，两个网络的损失必须相近。而且，这只是 850,000 个方向中的 2 个：'
            + '剖面有坑洼，就证明损失不是凸的；剖面光滑，什么也证明不了。',
    },
};

/** How high a loss is drawn. */
export function height(loss) {
    return TALL * (loss / HIGHEST - 0.5);
}

/** A point (α, β, height) as it is seen: [to the right, upwards]. turn and tilt are degrees. */
export function project([x, y, z], {turn, tilt}) {
    const [sin, cos] = around(turn), [up, along] = around(tilt);
    return [x * cos - y * sin, (x * sin + y * cos) * up + z * along];
}

/** The cells [row, column] of a grid of so many points a side, the farthest first. */
export function backToFront(points, turn) {
    const [sin, cos] = around(turn), cells = [];
    for (let row = 0; row < points - 1; row += 1) {
        for (let column = 0; column < points - 1; column += 1) cells.push([row, column]);
    }
    const away = ([row, column]) => column * sin + row * cos;
    return cells.sort((one, other) => away(other) - away(one));
}

function around(degrees) {
    return [Math.sin(degrees * Math.PI / 180), Math.cos(degrees * Math.PI / 180)];
}

/** Where the sides of a cell, whose corners are points (α, β, height) in a row, cross a level. */
function crossings(corners, level) {
    return corners.flatMap(([x, y, z], i) => {
        const [u, v, w] = corners[(i + 1) % 4];
        if ((z < level) === (w < level)) return [];
        const part = (level - z) / (w - z);
        return [[x + part * (u - x), y + part * (v - y), level]];
    });
}

/** Whether one looks at the underside of a cell. */
function fromBelow(corners, view) {
    const [[x, y], [u, v], , [s, t]] = corners.map((corner) => project(corner, view));
    return (u - x) * (t - y) < (v - y) * (s - x);
}

/** A pen for a canvas: it draws lines and areas through points (α, β, height) of a view. */
function penFor(canvas, view) {
    const {clientWidth: width, clientHeight: tall} = canvas, ratio = window.devicePixelRatio;
    canvas.width = width * ratio;
    canvas.height = tall * ratio;
    const context = canvas.getContext('2d'), unit = Math.min(width / ROOM.wide, tall / ROOM.tall);
    context.scale(ratio, ratio);
    context.lineJoin = context.lineCap = 'round';
    const place = (point) => {
        const [right, up] = project(point, view);
        return [width / 2 + unit * right, tall / 2 - unit * up];
    };
    const trace = (points) => {
        context.beginPath();
        for (const point of points) context.lineTo(...place(point));
    };
    return {
        context, unit,
        line(points, colour, thick) {
            trace(points);
            context.strokeStyle = colour;
            context.lineWidth = unit * thick;
            context.stroke();
        },
        dot(point, colour, radius) {
            context.beginPath();
            context.arc(...place(point), unit * radius, 0, 2 * Math.PI);
            context.fillStyle = colour;
            context.fill();
        },
        area(points, ...layers) {
            trace(points);
            context.closePath();
            for (const [colour, opacity] of layers) {
                context.globalAlpha = opacity;
                context.fillStyle = colour;
                context.fill();
            }
            context.globalAlpha = 1;
        },
        text(text, point, align, [right, up] = [0, 0]) {
            const [x, y] = place(point);
            context.textAlign = align;
            context.fillText(text, x + right, y - up);
        },
    };
}

/** The floor with its axes, and the upright one at its leftmost corner. */
function drawAxes(pen, view, colours, axis) {
    const floor = -TALL / 2, corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
    pen.line([...corners, corners[0]].map((corner) => [...corner, floor]), colours.line, 0.01);
    pen.context.fillStyle = colours.text;
    const large = pen.unit > 80, size = large ? 14 : 12;
    pen.context.font = `${size}px ${colours.font}`;
    pen.context.textBaseline = 'middle';
    const [sin, cos] = around(view.turn), nearX = sin > 0 ? -1 : 1, nearY = cos > 0 ? -1 : 1;
    const marks = (name) => [[-0.9, '−1'], [0, name], [0.9, '1']];
    for (const [at, text] of marks('α')) pen.text(text, [at, 1.2 * nearY, floor], 'center');
    for (const [at, text] of marks('β')) pen.text(text, [1.2 * nearX, at, floor], 'center');
    if (view.tilt > 60) return;  // too short to be read
    const [x, y] = corners.reduce((left, corner) =>
        (project([...corner, 0], view)[0] < project([...left, 0], view)[0] ? corner : left));
    pen.line([[x, y, floor], [x, y, -floor]], colours.line, 0.01);
    const shown = large ? TICKS.slice(1) : [HIGHEST / 2, HIGHEST];
    for (const tick of shown) pen.text(tick, [x, y, height(tick)], 'right', [-5, 0]);
    pen.text(axis, [x, y, height(HIGHEST)], 'center', [0, 1.5 * size]);
}

/** The page's colours as they are now, and its font. */
function lookOf(canvas) {
    const style = getComputedStyle(canvas);
    return {net: style.color, guessing: style.getPropertyValue('--marked'),
            text: style.getPropertyValue('--pst-color-text-base'),
            line: style.getPropertyValue('--pst-color-text-muted'),
            paper: style.getPropertyValue('--pst-color-surface'), font: style.fontFamily};
}

/** The surface of losses[row of β][column of α], with the cut along one row. */
function drawSurface(canvas, {steps, losses, axis}, view) {
    const colours = lookOf(canvas), pen = penFor(canvas, view);
    drawAxes(pen, view, colours, axis);
    const points = losses.map((row, j) => row.map((loss, i) => [steps[i], steps[j], height(loss)]));
    const middle = (steps.length - 1) / 2;
    for (const [row, column] of backToFront(steps.length, view.turn)) {
        const one = points[row], other = points[row + 1];
        const corners = [one[column], one[column + 1], other[column + 1], other[column]];
        const mean = corners.reduce((sum, corner) => sum + corner[2], 0) / 4;
        pen.area(corners, [colours.paper, 1], [colours.net, 0.35 + 0.6 * (mean / TALL + 0.5)],
                 ...(fromBelow(corners, view) ? [[colours.text, 0.3]] : []));
        pen.line([...corners, corners[0]], colours.line, 0.006);
        const contour = (loss, colour, thick) => {
            const ends = crossings(corners, height(loss));
            for (let i = 0; i < ends.length; i += 2) pen.line(ends.slice(i, i + 2), colour, thick);
        };
        for (const loss of LEVELS) contour(loss, colours.text, 0.014);
        contour(GUESSING, colours.guessing, 0.03);
        if (row === view.cut) pen.line(corners.slice(0, 2), colours.text, 0.035);
        if (row + 1 === view.cut) pen.line(corners.slice(2), colours.text, 0.035);
        if (Math.abs(row + 0.5 - middle) < 1 && Math.abs(column + 0.5 - middle) < 1) {
            pen.dot(points[middle][middle], colours.text, 0.06);
        }
    }
}

/** Calls drag(start, right, down) while a pointer that went down on `node` moves; start: begin(). */
function onDrag(node, begin, drag) {
    let start;
    node.addEventListener('pointerdown', (event) => {
        node.setPointerCapture(event.pointerId);
        start = {x: event.clientX, y: event.clientY, value: begin()};
    });
    node.addEventListener('pointermove', (event) => {
        if (!node.hasPointerCapture(event.pointerId)) return;
        drag(start.value, event.clientX - start.x, event.clientY - start.y);
    });
}

/** Moves a slider of controls.js as a reader would. */
function move(node, value) {
    const input = node.querySelector('input');
    input.value = value;
    input.dispatchEvent(new Event('input'));
}

/** A loss with two digits; a half of the last one goes up: 1.255 is the notebook's 1.26. */
function rounded(loss) {
    return (Math.round(100 * loss + 1e-6) / 100).toFixed(2);
}

function extent(losses) {
    return {low: rounded(Math.min(...losses)), high: rounded(Math.max(...losses))};
}

export default async function mount(room, language) {
    const words = WORDS[language];
    const data = await readJSON('data/surface.json');
    const steps = data.steps, middle = (steps.length - 1) / 2;
    const centres = NETS.map((net) => rounded(data[net][middle][middle]));
    const state = {turn: -30, tilt: 40, cut: middle};
    const betaOf = (row) => steps[row].toFixed(2).replace('-', '−');

    const canvases = NETS.map((net) => {
        const {low, high} = extent(data[net].flat());
        return element('canvas', {class: `surface-view ${LOOKS[net]}`, role: 'img',
                                  'aria-label': words.picture(net, low, high)});
    });
    const views = NETS.map((net, i) => element('div', {}, element('p', {class: 'surface-title'},
        words.title(net, centres[i])), canvases[i]));
    const picture = plot({label: '',
        x: {label: words.alpha, from: -1, to: 1,
            ticks: [[-1, '−1'], [-0.5, '−0.5'], [0, 0], [0.5, 0.5], [1, 1]]},
        y: {label: words.loss, from: 0, to: HIGHEST, ticks: TICKS.map((tick) => [tick, tick])}});
    const result = spoken();

    function drawSurfaces() {
        canvases.forEach((canvas, i) => {
            if (views[i].hidden) return;
            drawSurface(canvas, {steps, losses: data[NETS[i]], axis: words.loss}, state);
        });
    }

    let waiting = false;
    function soon() {
        if (!waiting) requestAnimationFrame(() => { waiting = false; drawSurfaces(); });
        waiting = true;
    }

    function drawCut() {
        const ranges = words.ranges(NETS.map((net) => extent(data[net][state.cut])));
        result.textContent = words.say(betaOf(state.cut), ranges, centres);
        picture.draw([
            {kind: 'level', look: 'marked', y: GUESSING},
            ...NETS.flatMap((net) => {
                const losses = data[net][state.cut], look = LOOKS[net];
                return [{kind: 'line', look, points: losses.map((loss, i) => [steps[i], loss])},
                        {kind: 'text', look, text: net, anchor: 'end',
                         x: 0.98, y: look === 'plain' ? 0.85 : losses.at(-1) + 0.6}];
            }),
        ], `${words.loss}: ${ranges}`);
    }

    const turn = slider({label: words.turn, min: -180, max: 180, step: 2, value: state.turn,
        format: words.degrees, oninput: (value) => { state.turn = value; soon(); }});
    const tilt = slider({label: words.tilt, min: 10, max: 90, step: 2, value: state.tilt,
        format: words.degrees, oninput: (value) => { state.tilt = value; soon(); }});
    for (const canvas of canvases) {
        onDrag(canvas, () => ({...state}), (start, right, down) => {
            move(turn, (start.turn + right / 2 + 540) % 360 - 180);
            move(tilt, start.tilt + down / 2);
        });
        new ResizeObserver(soon).observe(canvas);
    }
    new MutationObserver(soon).observe(document.documentElement, {attributeFilter: ['data-theme']});

    room.append(
        element('p', {class: 'explore-try'}, words.attempt),
        choice({label: words.show, value: 'both',
            options: [['both', words.both], ...NETS.map((net) => [net, net])], onchange: (value) => {
                views.forEach((view, i) => { view.hidden = value !== 'both' && value !== NETS[i]; });
            }}),
        element('div', {class: 'explore-controls'}, turn, tilt),
        element('p', {class: 'explore-key'}, words.drag),
        element('div', {class: 'explore-pictures surface-views'}, ...views),
        element('p', {class: 'explore-key'},
            element('span', {class: 'key marked'}), `${words.guessing}\u2003`,
            element('span', {class: 'key strong'}), `${words.cut}\u2003`,
            element('span', {class: 'explore-meaning'}, words.levels)),
        slider({label: words.beta, min: 0, max: steps.length - 1, value: state.cut, format: betaOf,
                oninput: (row) => { state.cut = row; drawCut(); soon(); }}),
        element('div', {class: 'explore-pictures'}, picture.node, result),
        element('p', {class: 'explore-key'}, words.source));
    drawCut();
}
