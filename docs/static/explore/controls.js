// Parts of which explorables are made: elements, sliders, choices, buttons, and a line of text that
// a screen reader speaks when it changes.

let count = 0;

/** A name that no other element of the page has. */
export function newId() {
    count += 1;
    return `explore-${count}`;
}

/** An HTML element with attributes (on… : a listener) and children, nodes or texts. */
export function element(tag, attributes = {}, ...children) {
    return furnish(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
    return furnish(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function furnish(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
        else if (value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
}

/**
 * A slider with its label and its value in words: {label, min, max, step, value, format, oninput}.
 * format: from a number to what is shown and spoken. oninput: called with the number.
 */
export function slider({label, min, max, step = 1, value, format = String, oninput}) {
    const id = newId();
    // An <output> would be spoken beside the slider's own words.
    const shown = element('span', {class: 'explore-value', 'aria-hidden': 'true'}, format(value));
    const input = element('input', {type: 'range', id, min, max, step, value,
        'aria-valuetext': format(value), oninput: () => {
            const number = Number(input.value);
            shown.textContent = format(number);
            input.setAttribute('aria-valuetext', format(number));
            oninput(number);
        }});
    return element('div', {class: 'explore-slider'},
                   element('label', {for: id}, label), shown, input);
}

/** Radio buttons in a row, of which one is chosen: {label, options: [[value, text], …], value, onchange}. */
export function choice({label, options, value, onchange}) {
    const name = newId();
    const buttons = options.map(([each, text]) => element('label', {},
        element('input', {type: 'radio', name, value: each, checked: each === value ? '' : undefined,
            onchange: () => onchange(each)}), text));
    return element('fieldset', {class: 'explore-choice'}, element('legend', {}, label), ...buttons);
}

/** A button with a text. */
export function button(text, onclick, attributes = {}) {
    return element('button', {type: 'button', class: 'explore-button', onclick, ...attributes}, text);
}

/** A line that says the result in words, spoken when it changes: set its textContent. */
export function spoken() {
    return element('p', {class: 'explore-spoken', role: 'status'});
}

/** 10 with an exponent, as text. */
export function tens(power) {
    return `10${String(power).replace(/./g, (sign) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(sign)])}`;
}

/** 12,345.678 as text, to so many significant digits: 12,000, and powers of ten far from 1. */
export function short(number, digits = 2) {
    if (number === 0) return '0';
    const power = Math.floor(Math.log10(Math.abs(number)));
    const rounded = Number(number.toPrecision(digits));
    if (power >= -3 && power < 5) return power < 3 ? String(rounded) : rounded.toLocaleString('en');
    return `${Number((number / 10 ** power).toPrecision(digits))}\u00a0·\u00a0${tens(power)}`;
}
