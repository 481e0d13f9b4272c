// What the nets' classes are called in Chinese; the notebooks' pictures have the English names.

export const CHINESE = {
    't-shirt': 'T 恤', 'trouser': '裤子', 'pullover': '套头衫', 'dress': '连衣裙', 'coat': '外套',
    'sandal': '凉鞋', 'shirt': '衬衫', 'sneaker': '运动鞋', 'bag': '包', 'ankle boot': '短靴',
    'bottle': '瓶子', 'bowl': '碗', 'mug': '马克杯', 'vase': '花瓶',
};
