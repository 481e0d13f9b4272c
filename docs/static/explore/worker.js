// Runs nets, away from the page, so that the page never waits. Talked to by nets.js.
//
// A net is a chain of parts, each an ONNX file: what one gives, the next takes. So parts can be left
// out, exchanged, and looked between. What comes before the first change is not computed again.

import * as ort from './ort.js';

const BATCH = 50;  // pictures at a time: short enough to see progress, and to be interrupted
const nets = new Map();  // name: {part: session}
let kept = {};  // of the last run of `series`: {name, series, batches: [[{part, value}, …], …]}
let latest = 0;  // the last question: an older one gives up

ort.env.wasm.numThreads = 1;  // more would need headers that static hosts do not send
ort.env.logLevel = 'error';  // it warns of processors that it does not know, such as a browser's

async function load({name, parts, net}) {
    const sessions = {};
    for (const [part, [begin, end]] of Object.entries(parts)) {
        sessions[part] = await ort.InferenceSession.create(net.subarray(begin, end));
    }
    nets.set(name, sessions);
}

async function through(session, value) {
    return (await session.run({x: value})).y;
}

/** The values behind each part of `order`; those at the beginning that are known are taken over. */
async function follow(sessions, order, value, known) {
    const steps = [];
    for (const [i, part] of order.entries()) {
        const same = steps.length === i && known[i]?.part === part;
        if (!same) known = [];
        value = same ? known[i].value : await through(sessions[part], value);
        steps.push({part, value});
    }
    return steps;
}

/**
 * Scores of pictures (Float32Array, as many numbers each as `shape` says) after the parts of
 * `order`, batch by batch; `watched` are parts whose values are wanted as well. Pictures with a
 * name, `series`, are the same each time: what is known of them is used again.
 */
async function run({id, name, order, pictures, shape, series, watched = []}) {
    const size = shape.reduce((a, b) => a * b);
    const count = pictures.length / size;
    if (kept.name !== name || kept.series !== series || !series) kept = {name, series, batches: []};
    for (let first = 0, batch = 0; first < count; first += BATCH, batch += 1) {
        const last = Math.min(first + BATCH, count);
        const value = new ort.Tensor('float32', pictures.slice(first * size, last * size),
                                     [last - first, ...shape]);
        const steps = await follow(nets.get(name), order, value, kept.batches[batch] ?? []);
        await new Promise((resolve) => { setTimeout(resolve); });  // a newer question is heard only now
        if (id !== latest) {
            postMessage({id, dropped: true});
            return;
        }
        kept.batches[batch] = steps;
        const values = Object.fromEntries(steps.filter(({part}) => watched.includes(part))
            .map(({part, value: {data, dims}}) => [part, {data, dims}]));
        postMessage({id, first, scores: steps.at(-1).value.data, values, done: last === count});
    }
}

onmessage = async ({data}) => {
    try {
        if (data.kind === 'run') {
            latest = data.id;
            await run(data);
            return;
        }
        if (data.kind === 'start') ort.env.wasm.wasmBinary = data.program;
        else await load(data);
        postMessage({id: data.id, done: true});
    } catch (error) {
        postMessage({id: data.id, error: String(error)});
    }
};
