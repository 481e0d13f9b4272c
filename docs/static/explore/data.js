// Files that the site has for the explorables.

/** The address of a file of this folder. */
export function here(name) {
    return new URL(name, import.meta.url);
}

/** The answer to a request for a file of this folder; an Error with its name if there is none. */
export async function fetched(name) {
    const answer = await fetch(here(name));
    if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
    return answer;
}

export async function readJSON(name) {
    return (await fetched(name)).json();
}

/** Numbers in single precision, one behind the other. */
export async function readNumbers(name) {
    return new Float32Array(await (await fetched(name)).arrayBuffer());
}

/** Bytes from their base64 text. */
export function decode(text) {
    return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}
