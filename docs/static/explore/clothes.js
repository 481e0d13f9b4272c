// Notebook 04: a net that was trained on Fashion-MNIST.

import {ask} from './ask.js';

const TEXTS = {
    en: {attempt: 'Try: draw trousers with a wide gap between the legs. Then fill the gap.',
         intro: (right) => 'The notebook’s ResNet-18 has 11 million parameters, 45 MB. This is a far smaller net, a '
            + 'ResNet-20 with 0.27 million, trained on all 60,000 images of 28 × 28 pixels; of the 10,000 test '
            + `images it gets ${right} right.`,
         hint: 'How far can you move a picture until the answer changes? Draw large: the training images fill the '
            + 'square. Which of the examples survive “dark ↔ light”? The ten '
            + 'probabilities add up to 100 %: the net cannot say “none of these”.'},
    zh: {attempt: '试一试：画一条裤子，两腿之间留出宽宽的空隙，再把空隙填满。',
         intro: (right) => '笔记本里的 ResNet-18 有 1100 万个参数，45 MB。这里是小得多的 ResNet-20，只有 27 万个参数，'
            + `用全部 60,000 张 28 × 28 像素的图像训练；10,000 张测试图像中认对了 ${right} 张。`,
         hint: '把图片移多远，答案才会变？要画得大：训练图像都占满方框。按“明暗互换”之后，哪些例子还认得出来？'
            + '十个概率之和是 100%：网络不会说“都不是”。'},
};

export default function mount(room, language) {
    return ask(room, language, {net: 'clothes', pictures: 10000, brush: 0.08, ground: '#000000', ink: '#ffffff',
                                ...TEXTS[language]});
}
