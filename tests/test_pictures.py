"""scripts/pictures.py on small real pictures, good and bad."""
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

import pictures


@pytest.fixture
def photo():
    """A colour picture, 80 wide and 60 high, of which no half equals the other."""
    noise = np.random.RandomState(0).randint(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((80, 60), Image.Resampling.BICUBIC)


def write(path, colour='grey', size=(12, 9)):
    """Writes a picture of one colour; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', size, colour).save(path)
    return path


def reason(path, size=8):
    """Why a file cannot be read, as text."""
    with pytest.raises(ValueError) as caught:
        pictures.read_picture(path, size)
    text = str(caught.value)
    assert '\n' not in text and len(text) < 150
    return text


def close(a, b):
    """Whether two pictures look the same: within a few of 255 grey levels on average."""
    return np.abs(a.astype(int) - b.astype(int)).mean() < 4


# ---------------------------------------------------------------------------------------------
# read_picture


def test_picture_keeps_its_bytes_if_it_has_the_size_already(tmp_path):
    pixels = np.random.RandomState(1).randint(0, 256, (28, 28), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    grey = pictures.read_picture(tmp_path / 'a.png', 28, grey=True)
    assert grey.dtype == np.uint8 and np.array_equal(grey[..., 0], pixels)
    colour = pictures.read_picture(tmp_path / 'a.png', 28)
    assert colour.shape == (28, 28, 3) and (colour == pixels[..., None]).all()


def test_channels_are_red_green_blue(tmp_path):
    path = write(tmp_path / 'a.png', (200, 100, 50))
    assert (pictures.read_picture(path, 5) == [200, 100, 50]).all()
    assert (pictures.read_picture(path, 5, grey=True) == 124).all()  # 0.299 R + 0.587 G + 0.114 B


@pytest.mark.parametrize('upright', [True, False])
def test_middle_square_is_kept_and_nothing_is_stretched(tmp_path, upright):
    picture = Image.new('RGB', (90, 30), 'red')  # red, then blue, then green
    picture.paste('blue', (30, 0, 60, 30))
    picture.paste('green', (60, 0, 90, 30))
    (picture.transpose(Image.Transpose.ROTATE_90) if upright else picture).save(tmp_path / 'a.png')
    assert (pictures.read_picture(tmp_path / 'a.png', 30) == [0, 0, 255]).all()


@pytest.mark.parametrize('tag', range(1, 9))
def test_exif_rotation(tmp_path, photo, tag):
    photo.save(tmp_path / 'upright.png')
    # What a camera stores that is held so: from it, the tag leads back to the upright picture.
    back = {1: None, 2: 'FLIP_LEFT_RIGHT', 3: 'ROTATE_180', 4: 'FLIP_TOP_BOTTOM',
            5: 'TRANSPOSE', 6: 'ROTATE_90', 7: 'TRANSVERSE', 8: 'ROTATE_270'}[tag]
    stored = photo.transpose(Image.Transpose[back]) if back else photo
    exif = Image.Exif()
    exif[0x0112] = tag
    stored.save(tmp_path / 'tagged.png', exif=exif)
    wanted = pictures.read_picture(tmp_path / 'upright.png', 32)
    assert np.array_equal(pictures.read_picture(tmp_path / 'tagged.png', 32), wanted)
    if back:  # the check can fail
        stored.save(tmp_path / 'untagged.png')
        assert not close(pictures.read_picture(tmp_path / 'untagged.png', 32), wanted)


@pytest.mark.parametrize('exif', [b'Exif\0\0MM\0*\0\0\0\x08\xff\xff nonsense', b'Exif\0\0M?'])
def test_damaged_exif_does_not_spoil_the_picture(tmp_path, photo, exif):
    photo.save(tmp_path / 'a.png', exif=exif)
    photo.save(tmp_path / 'b.png')
    assert np.array_equal(*(pictures.read_picture(tmp_path / name, 16)
                            for name in ('a.png', 'b.png')))


@pytest.mark.parametrize(('mode', 'suffix'), [
    ('RGB', 'png'), ('RGB', 'bmp'), ('RGB', 'webp'), ('RGB', 'tif'), ('P', 'png'), ('P', 'gif'),
    ('CMYK', 'jpg'), ('CMYK', 'tif'), ('YCbCr', 'jpg'), ('RGBA', 'png'), ('L', 'png'),
    ('L', 'jpg'), ('LA', 'png')])
def test_every_mode_looks_the_same(tmp_path, photo, mode, suffix):
    path = tmp_path / f'a.{suffix}'
    photo.convert(mode).save(path)
    like = photo.convert('L').convert('RGB') if mode in ('L', 'LA') else photo
    for grey in (True, False):
        wanted = np.asarray(ImageOps.fit(like, (24, 24)).convert('L' if grey else 'RGB'))
        found = pictures.read_picture(path, 24, grey)
        assert found.shape == (24, 24, 1 if grey else 3)
        # A palette has few colours, and JPEG fewer in bright red: look from further away.
        blurred = [Image.fromarray(x.squeeze()).filter(ImageFilter.BoxBlur(2))
                   for x in (found, wanted)]
        assert close(*map(np.asarray, blurred))


def test_sixteen_bits_of_grey(tmp_path):
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(ramp * 257).save(tmp_path / 'a.png')
    assert Image.open(tmp_path / 'a.png').mode.startswith('I')
    assert np.array_equal(pictures.read_picture(tmp_path / 'a.png', 16, grey=True)[..., 0], ramp)
    Image.fromarray((ramp // 2) * 257 + 200).save(tmp_path / 'a.png')  # nearer to the next level
    found = pictures.read_picture(tmp_path / 'a.png', 16, grey=True)[..., 0]
    assert np.array_equal(found, ramp // 2 + 1)


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P'])
def test_transparent_becomes_white(tmp_path, mode):
    black = Image.new('RGBA', (10, 10), (0, 0, 0, 255))
    black.paste((0, 0, 0, 0), (0, 0, 10, 5))  # the upper half
    if mode == 'P':
        palette = Image.new('P', (10, 10), 1)
        palette.putpalette([0] * 6)
        palette.paste(0, (0, 0, 10, 5))
        palette.save(tmp_path / 'a.png', transparency=0)
    else:
        black.convert(mode).save(tmp_path / 'a.png')
    found = pictures.read_picture(tmp_path / 'a.png', 10)
    assert (found[:5] == 255).all() and (found[5:] == 0).all()


def test_half_transparent_is_mixed_with_white(tmp_path):
    Image.new('RGBA', (4, 4), (255, 0, 0, 51)).save(tmp_path / 'a.png')
    assert (pictures.read_picture(tmp_path / 'a.png', 4) == [255, 204, 204]).all()


def test_large_jpeg_is_read_at_a_reduced_size_but_looks_the_same(tmp_path, photo, monkeypatch):
    large = photo.resize((1600, 1200), Image.Resampling.BICUBIC)
    large.save(tmp_path / 'a.jpg', quality=95)
    decoded = []
    monkeypatch.setattr(pictures, 'upright', lambda image: decoded.append(image.size) or image)
    found = pictures.read_picture(tmp_path / 'a.jpg', 32)
    assert decoded == [(200, 150)]
    assert close(found, np.asarray(ImageOps.fit(large, (32, 32))))


def test_animation_gives_its_first_picture(tmp_path):
    frames = [Image.new('RGB', (8, 8), colour) for colour in ('red', 'blue')]
    frames[0].save(tmp_path / 'a.gif', save_all=True, append_images=frames[1:])
    assert (pictures.read_picture(tmp_path / 'a.gif', 8) == [255, 0, 0]).all()


@pytest.mark.parametrize('size', [(1, 1), (1, 900), (900, 1), (3, 7)])
def test_extreme_shapes(tmp_path, size):
    path = write(tmp_path / 'a.png', (9, 8, 7), size)
    assert (pictures.read_picture(path, 28) == [9, 8, 7]).all()


@pytest.mark.parametrize('name', ['猫.png', 'قطة.png', '🐈 my cat.png', "it's 100 %.png", 'a.PNG',
                                  'no suffix', 'wrong suffix.txt'])
def test_names_do_not_matter(tmp_path, name):
    shutil.copy(write(tmp_path / 'plain.png', 'blue'), tmp_path / name)
    assert (pictures.read_picture(tmp_path / name, 4) == [0, 0, 255]).all()


def test_reasons(tmp_path, photo, monkeypatch):
    (tmp_path / 'text.jpg').write_text('This is no picture.')
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'broken').symlink_to(tmp_path / 'gone.png')
    os.mkfifo(tmp_path / 'pipe.png')
    assert reason(tmp_path / 'text.jpg').startswith('not a picture, or of a kind')
    assert reason(tmp_path / 'empty.png') == 'an empty file'
    assert reason(tmp_path / 'broken') == 'a broken link'
    assert reason(tmp_path / 'gone.png') == 'no such file'
    assert reason(tmp_path / ('x' * 300)) == 'File name too long'
    assert reason(tmp_path) == 'a folder, not a picture'
    assert reason(tmp_path / 'pipe.png') == 'not a file'
    Image.new('F', (4, 4)).save(tmp_path / 'float.tif')
    assert 'floating-point pixels' in reason(tmp_path / 'float.tif')
    photo.save(tmp_path / 'bomb.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 80 * 60 // 2 - 1)
    assert 'million pixels' in reason(tmp_path / 'bomb.png')


def test_forbidden_file(tmp_path, monkeypatch):
    path = write(tmp_path / 'a.png')
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything
        monkeypatch.setattr(pictures.Path, 'open', forbidden)
    assert reason(path) == 'Permission denied'


def test_no_warning_in_the_middle_of_a_bar(tmp_path, photo, monkeypatch, recwarn):
    photo.save(tmp_path / 'large.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 80 * 60 - 1)  # from here, Pillow warns
    pictures.read_picture(tmp_path / 'large.png', 8)
    assert not recwarn.list


def forbidden(*_, **__):
    raise PermissionError(13, 'Permission denied')


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'gif', 'bmp', 'tif', 'webp'])
def test_truncated_anywhere(tmp_path, photo, suffix):
    photo.save(tmp_path / f'whole.{suffix}')
    whole = (tmp_path / f'whole.{suffix}').read_bytes()
    for share in (0.02, 0.3, 0.6, 0.9):
        (tmp_path / f'cut.{suffix}').write_bytes(whole[:int(share * len(whole))])
        assert reason(tmp_path / f'cut.{suffix}').startswith(('cannot be decoded', 'not a picture'))


def test_large_jpeg_truncated(tmp_path, photo):
    """At a reduced size, too, the whole file is read."""
    photo.resize((1600, 1200)).save(tmp_path / 'a.jpg')
    whole = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(whole[:len(whole) * 9 // 10])
    assert 'truncated' in reason(tmp_path / 'a.jpg')


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'gif', 'tif', 'webp'])
def test_random_damage_gives_a_picture_or_a_reason(tmp_path, photo, suffix):
    photo.save(tmp_path / f'a.{suffix}')
    whole, rng, reasons = (tmp_path / f'a.{suffix}').read_bytes(), np.random.RandomState(0), 0
    for _ in range(30):
        damaged = bytearray(whole)
        for position in rng.randint(0, len(whole), 20):
            damaged[position] = rng.randint(256)
        (tmp_path / f'a.{suffix}').write_bytes(damaged)
        try:
            assert pictures.read_picture(tmp_path / f'a.{suffix}', 8).shape == (8, 8, 3)
        except ValueError:
            reasons += 1
    assert reasons > 0


def test_size_below_one_is_refused(tmp_path):
    with pytest.raises(ValueError, match='at least 1, not 0'):
        pictures.read_picture(write(tmp_path / 'a.png'), 0)


# ---------------------------------------------------------------------------------------------
# Folders


@pytest.fixture
def zoo(tmp_path):
    """Two classes with three and two pictures, and what file managers leave behind."""
    for i in range(3):
        write(tmp_path / 'zoo' / 'cat' / f'{i}.png', (10 * i, 0, 0))
    for i in range(2):
        write(tmp_path / 'zoo' / 'dog' / f'{i}.jpg', (0, 0, 200 + 10 * i))
    for name in ('.hidden', '__MACOSX'):
        write(tmp_path / 'zoo' / name / 'a.png')
    for name in ('Thumbs.db', '.DS_Store', 'desktop.ini', '._0.png'):
        (tmp_path / 'zoo' / 'cat' / name).write_bytes(b'none of your business')
    (tmp_path / 'zoo' / 'notes.txt').write_text('not a class')
    return tmp_path / 'zoo'


def test_classes(zoo):
    assert pictures.find_classes(zoo) == ['cat', 'dog']


def test_classes_are_sorted_the_same_everywhere(tmp_path):
    names = ['Zebra', 'cat', 'é'.encode().decode(), 'e\u0301toile', '猫', 'قطة', '🐈', 'a b']
    for name in names:
        (tmp_path / name).mkdir()
    # By code point after normalisation to one character: not by what a language thinks.
    assert pictures.find_classes(tmp_path) == ['Zebra', 'a b', 'cat', 'é', 'e\u0301toile', 'قطة',
                                               '猫', '🐈']


@pytest.mark.parametrize(('names', 'message'), [
    ([], 'it has none'), (['cat'], 'it has only one, cat'), (['.git', 'cat'], 'only one, cat'),
    (['caf\u00e9', 'cafe\u0301'], 'two folders named')])
def test_too_few_classes_and_look_alikes(tmp_path, names, message):
    for name in names:
        (tmp_path / name).mkdir()
    if len(list(tmp_path.iterdir())) < len(names):
        pytest.skip('this file system takes the two names for one')
    with pytest.raises(ValueError, match=message):
        pictures.find_classes(tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(ValueError, match='is missing'):
        pictures.find_classes(tmp_path / 'gone')
    with pytest.raises(ValueError, match='is not a folder'):
        pictures.find_classes(write(tmp_path / 'a.png'))


def test_files_of_subfolders_are_found_and_links_to_folders_are_not_entered(tmp_path):
    folder = tmp_path / 'cat'
    for name in ('b/2.png', 'b/10.png', 'a.png', '.cache/x.png', '.x.png'):
        write(folder / name)
    (folder / 'loop').symlink_to(folder)
    (folder / 'z.png').symlink_to(folder / 'a.png')
    found = [path.relative_to(folder).as_posix() for path in pictures.find_files(folder)]
    assert found == ['a.png', 'b/10.png', 'b/2.png', 'loop', 'z.png']
    assert reason(folder / 'loop') == 'a folder, not a picture'


def test_load_folder(zoo):
    (zoo / 'dog' / 'bad.png').write_bytes(b'bad')
    images, labels, classes, unreadable = pictures.load_folder(zoo, 6)
    assert images.shape == (5, 6, 6, 3) and images.dtype == np.uint8
    assert labels.tolist() == [0, 0, 0, 1, 1] and labels.dtype == np.int32
    assert classes == ['cat', 'dog']
    assert [(path.name, why[:13]) for path, why in unreadable] == [('bad.png', 'not a picture')]
    assert images[:3, 0, 0, 0].tolist() == [0, 10, 20]
    assert np.abs(images[3:, 0, 0, 2].astype(int) - [200, 210]).max() <= 2
    assert pictures.load_folder(zoo, 6, grey=True)[0].shape == (5, 6, 6, 1)


def test_validation_folder_takes_the_order_of_the_training_folder(zoo):
    shutil.rmtree(zoo / 'cat')
    labels, classes = pictures.load_folder(zoo, 4, classes=['ape', 'dog', 'cat'])[1:3]
    assert labels.tolist() == [1, 1] and classes == ['ape', 'dog', 'cat']


def test_names_on_a_mac_are_the_same_names(zoo):
    for here, there in (('NFD', 'NFC'), ('NFC', 'NFD')):
        (zoo / 'cat').rename(zoo / unicodedata.normalize(here, 'B\u00e4r'))
        classes = ['dog', unicodedata.normalize(there, 'B\u00e4r')]
        assert pictures.load_folder(zoo, 4, classes=classes)[1].tolist() == [1, 1, 1, 0, 0]
        (zoo / unicodedata.normalize(here, 'B\u00e4r')).rename(zoo / 'cat')


def test_unknown_class_is_named(zoo):
    with pytest.raises(ValueError, match='has a class dog, which is not one of cat, cow'):
        pictures.load_folder(zoo, 4, classes=['cat', 'cow'])


def test_class_without_a_readable_picture(zoo):
    for path in (zoo / 'dog').iterdir():
        path.write_bytes(b'bad')
    with pytest.raises(ValueError, match=r'class dog in .* has no picture .*0\.jpg: not a picture'):
        pictures.load_folder(zoo, 4)
    assert len(pictures.load_folder(zoo, 4, classes=['cat', 'dog'])[0]) == 3


def test_folder_without_a_readable_picture(tmp_path):
    (tmp_path / 'cat').mkdir()
    with pytest.raises(ValueError, match='has no picture that can be read'):
        pictures.load_folder(tmp_path, 4, classes=['cat', 'dog'])
