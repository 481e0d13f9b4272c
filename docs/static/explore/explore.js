// Finds the places that tools/build_site.py has left for explorables, and fills each one when the
// reader comes near it. Without JavaScript they are empty and take no room.

// What each explorable is called, and its module: a function (room, language) that fills `room`.
const EXPLORABLES = {
    'sigmoid': {en: 'a chain of sigmoids', zh: 'sigmoid 链'},
    'depths': {en: 'error against depth', zh: '误差与深度'},
    'travel': {en: 'a signal and its gradient, through n blocks', zh: '信号与梯度穿过 n 个块'},
    'paths': {en: 'unravel a net into its paths', zh: '把网络展开成路径'},
    'walk': {en: 'walk through ResNet-18', zh: '走进 ResNet-18'},
    'clothes': {en: 'ask a trained net', zh: '问一问训练好的网络'},
    'factor': {en: 'a factor λ on the shortcut', zh: '捷径上的因子 λ'},
    'order': {en: 'the order of BN and ReLU', zh: 'BN 与 ReLU 的顺序'},
    'blocks': {en: 'delete or swap a block of a trained net', zh: '删除或交换训练好的网络的块'},
    'surface': {en: 'turn the loss surface', zh: '转动损失曲面'},
    'crockery': {en: 'ask a trained net', zh: '问一问训练好的网络'},
};

const language = document.documentElement.lang.startsWith('zh') ? 'zh' : 'en';
const WORDS = {
    en: {hand: 'Try it: ', broken: 'This could not be loaded. Reload the page to try again.'},
    zh: {hand: '动手试试：', broken: '加载失败。请重新加载本页再试。'},
}[language];

async function fill(place) {
    const name = place.dataset.explore;
    const section = document.createElement('section');
    const title = document.createElement('p');
    title.className = 'explore-title';
    title.id = `explore-${name}-title`;
    title.textContent = `${WORDS.hand}${EXPLORABLES[name][language]}`;
    section.setAttribute('aria-labelledby', title.id);
    const room = document.createElement('div');
    section.append(title, room);
    place.append(section);
    try {
        const module = await import(`./${name}.js`);
        await module.default(room, language);
        section.dataset.filled = '';
    } catch (error) {
        room.textContent = WORDS.broken;
        throw error;  // to the console, for who looks there
    }
}

const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((each) => each.isIntersecting)) {
        near.unobserve(entry.target);
        fill(entry.target);
    }
}, {rootMargin: '600px'});
for (const place of document.querySelectorAll('[data-explore]')) near.observe(place);
