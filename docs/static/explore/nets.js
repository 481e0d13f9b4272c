// Trained nets in the page: fetched when the reader asks for them, run by worker.js.

import {button, element} from './controls.js';
import {fetched, here, readJSON} from './data.js';

const PROGRAM = 'ort.wasm.gzip';
const PROGRAM_BYTES = 3.1e6;

const WORDS = {
    en: {load: (megabytes) => `Load it (${megabytes} MB)`, loading: 'loading …',
         failed: 'It could not be loaded. Are you online? Then try again.'},
    zh: {load: (megabytes) => `加载（${megabytes} MB）`, loading: '正在加载……',
         failed: '加载失败。联网了吗？请再试一次。'},
};

let worker, count = 0;
const waiting = new Map();  // id: what to call with the worker's answers

/** Sends a question to the worker; `hear` is called with each answer. Returns its number. */
function ask(question, hear) {
    if (!worker) {
        worker = new Worker(here('worker.js'), {type: 'module'});
        worker.onmessage = ({data}) => {
            if (!data.dropped) waiting.get(data.id)(data);
            if (data.done || data.error || data.dropped) waiting.delete(data.id);
        };
    }
    count += 1;
    waiting.set(count, hear);
    worker.postMessage({id: count, ...question});
    return count;
}

/** The bytes of a file, and on the way onBytes(how many more). */
async function fetchBytes(name, onBytes) {
    const parts = [], reader = (await fetched(name)).body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
        parts.push(part.value);
        onBytes(part.value.length);
    }
    return new Blob(parts);
}

/** The worker's answer to a question that has one. */
function answer(question) {
    return new Promise((resolve, reject) => {
        ask(question, ({error}) => (error ? reject(new Error(error)) : resolve()));
    });
}

let started;  // a promise: onnxruntime has been fetched, unpacked and handed to the worker

async function start(onBytes) {
    const packed = await fetchBytes(PROGRAM, onBytes);
    const unpacked = packed.stream().pipeThrough(new DecompressionStream('gzip'));
    await answer({kind: 'start', program: await new Response(unpacked).arrayBuffer()});
}

/** What the site says of its nets: {name: {bytes, shape, classes, parts, accuracy}}. */
export function readIndex() {
    return readJSON('nets/index.json');
}

const loaded = new Map();  // name: a promise of the net

async function load(name, {bytes, parts}, onBytes) {
    const net = await (await fetchBytes(`nets/${name}.bin`, onBytes)).arrayBuffer();
    if (net.byteLength !== bytes) throw new Error(`${name}.bin has ${net.byteLength} bytes`);
    await started;
    await answer({kind: 'load', name, parts, net: new Uint8Array(net)});
}

/**
 * Runs a net that loadNets has loaded: {name, order, pictures, shape, series, watched}, where order
 * names the parts, pictures is a Float32Array, shape that of one, series a name for pictures that
 * stay the same. Calls hear({first, scores, values, done}) for every 50 pictures: their scores, a
 * Float32Array, and by part of `watched` {data, dims}; hear({error}) if it fails. A later run makes an
 * earlier one give up.
 */
export function run(question, hear) {
    const own = ask({kind: 'run', ...question}, (answer) => { if (own === latest) hear(answer); });
    latest = own;
}

let latest;  // the last run: answers to older ones are under way, but nobody wants them

/** How many bytes loadNets would fetch now. */
function bytesOf(names, index) {
    return names.filter((name) => !loaded.has(name)).reduce((sum, name) => sum + index[name].bytes,
                                                            started ? 0 : PROGRAM_BYTES);
}

/** Loads nets of the index by their names, once; onShare(from 0 to 1) on the way. */
export async function loadNets(names, index, onShare = () => {}) {
    const all = bytesOf(names, index);
    let come = 0;
    const onBytes = (bytes) => { come += bytes; onShare(Math.min(1, come / all)); };
    started ??= start(onBytes);
    for (const name of names.filter((each) => !loaded.has(each))) {
        const net = load(name, index[name], onBytes);
        loaded.set(name, net);
        net.catch(() => { loaded.delete(name); started = undefined; });  // so that one can try again
    }
    await Promise.all(names.map((name) => loaded.get(name)));
}

/** A button that loads nets of the index, with a bar; then it goes, and ready() is called. */
export function loader({names, index, language, ready}) {
    const words = WORDS[language];
    const bar = element('progress', {max: 1, value: 0, hidden: '', 'aria-label': words.loading});
    const said = element('span', {role: 'status'});
    const start = button(words.load((bytesOf(names, index) / 1e6).toFixed(1)), async () => {
        start.disabled = true;
        bar.hidden = false;
        said.textContent = words.loading;
        try {
            await loadNets(names, index, (share) => { bar.value = share; });
            place.remove();
            await ready();
        } catch (error) {
            start.disabled = false;
            bar.hidden = true;
            said.textContent = words.failed;
            console.error(error);
        }
    });
    const place = element('p', {class: 'explore-loader'}, start, ' ', bar, ' ', said);
    return place;
}

/** Probabilities of scores, which belong to one picture. */
export function softmax(scores) {
    const most = Math.max(...scores);
    const raised = Array.from(scores, (score) => Math.exp(score - most));
    const sum = raised.reduce((a, b) => a + b);
    return raised.map((value) => value / sum);
}
