// A small line plot in SVG: axes, ticks, lines, bands, points, in the page's own colours.

import {svg, tens} from './controls.js';

const WIDTH = 400, HEIGHT = 250;
const LEFT = 72, RIGHT = 12, TOP = 12, BOTTOM = 42;

/**
 * A plot to draw on again and again: {x, y, label}, where each axis is
 * {label, from, to, log = false, ticks: [[value, text], …]}, and `label` says what a screen reader
 * speaks. It returns {node, draw}; draw(shapes, label) shows
 *   {kind: 'line', points: [[x, y], …], look},
 *   {kind: 'band', points: [[x, low, high], …], look},
 *   {kind: 'dots', points, look}, {kind: 'level', y, look},
 *   {kind: 'text', x, y, text, look, anchor}.
 * look: a name of explore.css: plain, residual, strong, quiet, marked (several: 'plain thin').
 * Points outside the axes are cut off; a value that is not finite breaks the line.
 */
export function plot({x, y, label}) {
    const across = scale(x, LEFT, WIDTH - RIGHT), up = scale(y, HEIGHT - BOTTOM, TOP);
    const clip = `clip-${Math.random().toString(36).slice(2)}`;
    const shapes = svg('g', {'clip-path': `url(#${clip})`});
    const node = svg('svg', {class: 'explore-plot', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img',
                             'aria-label': label},
        svg('clipPath', {id: clip}, svg('rect', {x: LEFT, y: TOP - 4, width: WIDTH - LEFT - RIGHT + 4,
                                                 height: HEIGHT - TOP - BOTTOM + 8})),
        ...x.ticks.flatMap(([value, text]) => [
            svg('line', {class: 'grid', x1: across(value), x2: across(value), y1: TOP, y2: HEIGHT - BOTTOM}),
            svg('text', {x: across(value), y: HEIGHT - BOTTOM + 15, 'text-anchor': 'middle'}, text)]),
        ...y.ticks.flatMap(([value, text]) => [
            svg('line', {class: 'grid', x1: LEFT, x2: WIDTH - RIGHT, y1: up(value), y2: up(value)}),
            svg('text', {x: LEFT - 5, y: up(value) + 4, 'text-anchor': 'end'}, text)]),
        svg('text', {x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 6, 'text-anchor': 'middle'}, x.label),
        svg('text', {x: 13, y: (TOP + HEIGHT - BOTTOM) / 2, 'text-anchor': 'middle',
                     transform: `rotate(-90 13 ${(TOP + HEIGHT - BOTTOM) / 2})`}, y.label),
        shapes);

    function path(points) {
        let text = '', broken = true;
        for (const [a, b] of points) {
            const here = [across(a), up(b)];
            if (here.every(Number.isFinite)) text += `${broken ? 'M' : 'L'}${here.map(tidy).join(' ')}`;
            broken = !here.every(Number.isFinite);
        }
        return text;
    }

    const draw = {
        line: ({points, look}) => svg('path', {class: `line ${look}`, d: path(points)}),
        band: ({points, look}) => svg('path', {class: `band ${look}`, d: path(
            [...points.map(([a, low]) => [a, low]), ...points.map(([a, , high]) => [a, high]).reverse()])}),
        dots: ({points, look}) => svg('g', {}, ...points.filter(
            ([a, b]) => Number.isFinite(across(a)) && Number.isFinite(up(b))).map(
            ([a, b]) => svg('circle', {class: `dot ${look}`, cx: tidy(across(a)), cy: tidy(up(b)), r: 4}))),
        level: (shape) => svg('line', {class: `line ${shape.look}`, x1: LEFT, x2: WIDTH - RIGHT,
            y1: tidy(up(shape.y)), y2: tidy(up(shape.y))}),
        text: (shape) => svg('text', {class: `word ${shape.look}`, x: tidy(across(shape.x)),
            y: tidy(up(shape.y)), 'text-anchor': shape.anchor ?? 'start'}, shape.text),
    };
    return {node, draw(wanted, newLabel) {
        shapes.replaceChildren(...wanted.map((shape) => draw[shape.kind](shape)));
        if (newLabel) node.setAttribute('aria-label', newLabel);
    }};
}

/** Ticks at powers of ten. */
export function powersOfTen(powers) {
    return powers.map((power) => [10 ** power, power ? tens(power) : 1]);
}

/** From a value of an axis to a place between two ends, in the plot's units. */
function scale({from, to, log = false}, start, end) {
    const f = log ? Math.log10 : (value) => value;
    return (value) => start + (f(value) - f(from)) / (f(to) - f(from)) * (end - start);
}

function tidy(number) {
    return Math.round(number * 10) / 10;
}
