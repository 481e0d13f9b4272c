// Notebook 09: a net that was trained on drawn crockery.

import {ask} from './ask.js';

const TEXTS = {
    en: {attempt: 'Try: take the mug, and smudge its handle away, then its dark opening. What does the net need?',
         intro: (right) => 'The notebook’s ResNet-18 has 11 million parameters, too many for a page. This is a '
            + 'ResNet-20 with 0.27 million. It was trained on 4,000 pictures that the same program drew, five times '
            + `as many as the notebook’s net, and so gets ${right} of the notebook’s 1,000 right.`,
         hint: 'Then draw a mug yourself, or show it a photograph, of a mug or of a cat. It has seen nothing but '
            + 'drawn crockery, lit from one side, with noise: flat colour is foreign to it already. And it must say '
            + 'one of four, however sure it sounds.'},
    zh: {attempt: '试一试：选那个马克杯，涂抹掉它的把手，再涂抹掉深色的杯口。网络靠的是什么？',
         intro: (right) => '笔记本里的 ResNet-18 有 1100 万个参数，太大，不便放进网页。这里是 ResNet-20，只有 27 万个参数。'
            + '训练它的 4,000 张图片由同一个程序画成，是笔记本里那个网络的五倍，'
            + `所以笔记本的 1,000 张图片中它认对了 ${right} 张。`,
         hint: '然后自己画一个马克杯，或者给它看一张照片，杯子也好，猫也好。它只见过画出来的器皿，从一侧打光，带着噪声：'
            + '平涂的颜色对它已经是陌生的。而且必须从四类里选一个，不管它听起来多有把握。'},
};

export default function mount(room, language) {
    return ask(room, language, {net: 'crockery', pictures: 1000, brush: 0.1, ground: '#d8d4cc', ink: '#a03c28',
                                ...TEXTS[language]});
}
