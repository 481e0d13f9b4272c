"""scripts/pictures.py on small real pictures, good and bad."""
import os
import shutil
import struct
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps, PngImagePlugin

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


def chunk(kind, content):
    """A part of a PNG file."""
    return (struct.pack('>I', len(content)) + kind + content
            + struct.pack('>I', zlib.crc32(kind + content)))


def png(size, bits, colour, rows, *chunks):
    """A PNG file of rows of bytes, written without Pillow; `chunks` come before the pixels."""
    header = struct.pack('>IIBBBBB', *size, bits, colour, 0, 0, 0)
    pixels = zlib.compress(b''.join(b'\0' + row for row in rows))
    return b''.join([pictures.PNG, chunk(b'IHDR', header), *chunks, chunk(b'IDAT', pixels),
                     chunk(b'IEND', b'')])


@pytest.mark.parametrize(('bits', 'levels', 'row', 'wanted'), [
    (1, [0], b'\x40', [255, 255]), (1, [1], b'\x40', [0, 255]),
    (2, [1], b'\x1b', [0, 255, 170, 255]), (4, [3], b'\x03\x3f', [0, 255, 255, 255]),
    (4, [8], b'\x08\x3f', [0, 255, 51, 255]),
    (4, [16 + 3], b'\x03\x3f', [0, 255, 255, 255]),  # upper bits are to be passed over
    (8, [3], b'\0\3\4\xff', [0, 255, 4, 255]),
    (16, [300], struct.pack('>4H', 0, 300, 514, 65535), [0, 255, 2, 255]),
    (16, [0], struct.pack('>4H', 0, 300, 514, 65535), [255, 1, 2, 255])])
def test_transparent_level_of_a_grey_png(tmp_path, bits, levels, row, wanted):
    transparent = chunk(b'tRNS', struct.pack('>H', *levels))
    width = len(wanted)
    (tmp_path / 'a.png').write_bytes(png((width, width), bits, 0, [row] * width, transparent))
    found = pictures.read_picture(tmp_path / 'a.png', width, grey=True)
    assert found[0, :, 0].tolist() == wanted


@pytest.mark.parametrize(('bits', 'colours'), [
    (8, [(1, 2, 3), (1, 2, 4)]), (16, [(100, 0, 0), (101, 0, 0)]), (16, [(0, 0, 0), (0, 0, 255)]),
    (16, [(65535, 0, 256), (65535, 0, 0)])])
def test_transparent_colour_of_a_png(tmp_path, bits, colours):
    transparent, other = colours
    row = struct.pack('>6B' if bits == 8 else '>6H', *transparent, *other)
    (tmp_path / 'a.png').write_bytes(
        png((2, 2), bits, 2, [row, row], chunk(b'tRNS', struct.pack('>3H', *transparent))))
    found = pictures.read_picture(tmp_path / 'a.png', 2)[0].tolist()
    assert found == [[255] * 3, [value >> (bits - 8) for value in other]]


def tiff(pixels, bits, photometric=1, sample_format=1, order='<'):
    """A TIFF file of 2 x 2 grey pixels, given as bytes, written without Pillow."""
    tags = [(256, 2), (257, 2), (258, bits), (259, 1), (262, photometric), (273, 8), (277, 1),
            (278, 2), (279, len(pixels)), (339, sample_format)]
    return b''.join([
        b'II*\0' if order == '<' else b'MM\0*', struct.pack(order + 'I', 8 + len(pixels)), pixels,
        struct.pack(order + 'H', len(tags)),
        *(struct.pack(order + 'HHIHH', tag, 3, 1, value, 0) for tag, value in tags), bytes(4)])


@pytest.mark.parametrize('order', '<>')
def test_sixteen_bits_of_a_tiff(tmp_path, order):
    levels = np.array([0, 20000, 40000, 65535], dtype=order + 'u2')
    (tmp_path / 'a.tif').write_bytes(tiff(levels.tobytes(), 16, order=order))
    found = pictures.read_picture(tmp_path / 'a.tif', 2, grey=True)
    assert found.ravel().tolist() == [0, 78, 156, 255]


def test_twelve_bits_and_white_as_zero(tmp_path):
    (tmp_path / 'a.tif').write_bytes(tiff(b'\xff\xf0\x00\x80\x00\x00', 12))
    found = pictures.read_picture(tmp_path / 'a.tif', 2, grey=True)
    assert found.ravel().tolist() == [255, 0, 128, 0]
    levels = np.array([0, 20000, 40000, 65535], dtype='<u2')
    (tmp_path / 'a.tif').write_bytes(tiff(levels.tobytes(), 16, photometric=0))
    found = pictures.read_picture(tmp_path / 'a.tif', 2, grey=True)
    assert found.ravel().tolist() == [255, 177, 99, 0]


@pytest.mark.parametrize(('kind', 'sample_format', 'words'), [
    ('u4', 1, '32-bit'), ('i4', 2, 'signed'), ('i2', 2, 'signed'), ('i1', 2, 'signed'),
    ('f4', 3, 'floating-point')])
def test_pixels_whose_white_nobody_knows_are_refused(tmp_path, kind, sample_format, words):
    levels = np.array([0, 1, 100, 127], dtype='<' + kind)
    (tmp_path / 'a.tif').write_bytes(
        tiff(levels.tobytes(), 8 * levels.itemsize, sample_format=sample_format))
    assert f'{words} pixels, whose white nobody knows: save' in reason(tmp_path / 'a.tif')


@pytest.mark.parametrize('white', [300, 1000, 4095, 65535])
def test_levels_of_a_pgm(tmp_path, white):
    levels = struct.pack('>4H', 0, white // 2, white, white // 5)
    (tmp_path / 'a.pgm').write_bytes(b'P5 2 2 %d\n' % white + levels)
    found = pictures.read_picture(tmp_path / 'a.pgm', 2, grey=True)
    assert np.abs(found.ravel() - [0, 127.5, 255, 51.]).max() <= 1


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


@pytest.mark.parametrize('kind', ['PNG', 'GIF', 'BMP', 'DIB', 'JPEG', 'MPO', 'TIFF', 'WEBP', 'AVIF',
                                  'JPEG2000', 'PPM', 'ICO', 'ICNS', 'PCX', 'SGI', 'DDS', 'QOI',
                                  'TGA', 'EPS', 'PDF'])
def test_formats_are_told_by_their_content_and_only_known_ones_are_read(tmp_path, photo, kind):
    photo.resize((64, 64)).save(tmp_path / 'a.jpg', kind)
    if kind in ('EPS', 'PDF', 'DIB'):
        assert reason(tmp_path / 'a.jpg').startswith('not a picture, or of a kind')
    else:
        wanted = np.asarray(photo.resize((64, 64)).resize((32, 32)))
        assert np.abs(pictures.read_picture(tmp_path / 'a.jpg', 32).astype(int) - wanted).mean() < 9


@pytest.mark.parametrize('suffix', ['jpg', 'eps', 'ps', 'png'])
def test_nothing_is_executed(tmp_path, monkeypatch, suffix):
    """PostScript is a program, and Pillow has Ghostscript run it."""
    def never(*arguments, **_):
        raise AssertionError(f'{arguments} was to be started')
    for name in ('Popen', 'call', 'check_call', 'run'):
        monkeypatch.setattr(f'subprocess.{name}', never)
    text = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n'
    (tmp_path / f'a.{suffix}').write_bytes(text)
    assert reason(tmp_path / f'a.{suffix}').startswith('not a picture')


@pytest.mark.parametrize('zipped', [False, True])
@pytest.mark.parametrize('after', [False, True])
@pytest.mark.parametrize('kind', ['long', 'many', 'wrong checksum', 'odd'])
def test_texts_do_not_cost_a_picture(tmp_path, photo, zipped, after, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / 'plain.png', exif=exif)
    name = b'zTXt' if zipped else b'tEXt'

    def pack(text):
        return b'\0' + zlib.compress(text) if zipped else text
    texts = {
        'long': [chunk(name, b'Comment\0' + pack(b'x' * (PngImagePlugin.MAX_TEXT_CHUNK + 1)))],
        'many': [chunk(name, b'Comment\0' + pack(b'x' * PngImagePlugin.MAX_TEXT_CHUNK))] * 65,
        'wrong checksum': [chunk(name, b'Comment\0' + pack(b'x'))[:-1] + b'!'],
        'odd': [chunk(name, b'Comment\0\7'), chunk(b'pHYs', b'?'), chunk(b'iCCP', b'?')]}[kind]
    whole = (tmp_path / 'plain.png').read_bytes()
    where = len(whole) - 12 if after else 33  # before IEND, or behind IHDR
    (tmp_path / 'a.png').write_bytes(whole[:where] + b''.join(texts) + whole[where:])
    found, wanted = (pictures.read_picture(tmp_path / name, 40) for name in ('a.png', 'plain.png'))
    assert np.array_equal(found, wanted)


def test_of_a_damaged_png_with_a_long_text_the_damage_is_named(tmp_path, photo, monkeypatch):
    info = PngImagePlugin.PngInfo()
    info.add_text('Comment', 'x' * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    photo.save(tmp_path / 'a.png', pnginfo=info)
    whole = (tmp_path / 'a.png').read_bytes()
    pictures.read_picture(tmp_path / 'a.png', 8)
    (tmp_path / 'cut.png').write_bytes(whole[:-2000])
    assert 'truncated' in reason(tmp_path / 'cut.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 80 * 60 // 2 - 1)
    assert 'million pixels' in reason(tmp_path / 'a.png')


def test_names_that_no_system_allows(tmp_path):
    assert reason(tmp_path / 'a\0b.png') in ('no such file', 'embedded null byte')
    assert reason(tmp_path / '\ud800.png') == 'no such file'
    assert reason('/dev/null') == 'not a file'


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


# A few of each system, as they write them.
LEFT = [
    '@eaDir', '#recycle', '#snapshot', '@Recycle', '.@__thumb', 'SYNOFILE_THUMB_XL_1.jpg',
    'a.jpg@SynoEAStream', '$RECYCLE.BIN', 'RECYCLER', 'System Volume Information', 'Thumbs.db',
    'ehthumbs.db', 'ehthumbs_vista.db', 'Desktop.ini', 'FOUND.000', '.Trashes', '.Spotlight-V100',
    '.fseventsd', '.AppleDouble', '.DS_Store', 'Network Trash Folder', 'Temporary Items',
    '__MACOSX', 'Icon\r', '._0.png', 'lost+found', '.Trash-1000', '.thumbnails', 'LOST.DIR',
    '.ipynb_checkpoints', '__pycache__', '.git', '.stfolder', '.dropbox.cache']


@pytest.mark.parametrize('left', LEFT)
@pytest.mark.parametrize('change', [str, str.upper, str.lower])
def test_what_systems_leave(tmp_path, left, change):
    assert pictures.is_ignored(change(left))
    for folder in ('cat', 'dog', change(left), f'cat/{change(left)}', f'dog/2/{change(left)}'):
        write(tmp_path / folder / 'a.png')
    assert pictures.find_classes(tmp_path) == ['cat', 'dog']
    assert len(pictures.load_folder(tmp_path, 4)[0]) == 2


@pytest.mark.parametrize('name', ['recycled', 'eaDir', '@home', '#1', 'recycle', 'Icon', 'found',
                                  'snapshot', 'thumbs', 'Trash', 'System', 'temporary', 'a.db'])
def test_what_people_call_their_classes(name):
    assert not pictures.is_ignored(name)


@pytest.mark.parametrize('names', [
    ['train', 'val'], ['train', 'val', 'test'], ['Train', 'Test'], ['training', 'validation'],
    ['TRAIN', 'valid', 'Testing']])
def test_parts_are_no_classes(tmp_path, names):
    for name in names:
        write(tmp_path / name / 'cat' / 'a.png')
    for find in (pictures.find_classes, lambda folder: pictures.load_folder(folder, 4)):
        with pytest.raises(ValueError, match='it is split already'):
            find(tmp_path)
    (tmp_path / 'bus').mkdir()  # and a train is a class
    assert pictures.find_classes(tmp_path) == sorted([*names, 'bus'])


def unlistable(monkeypatch, *folders):
    """Nobody can list these folders, root included."""
    scandir = os.scandir

    def refuses(path):
        if str(path) in map(str, folders):
            raise PermissionError(13, 'Permission denied', os.fspath(path))
        return scandir(path)
    monkeypatch.setattr('os.scandir', refuses)


def test_a_folder_that_cannot_be_listed_is_named(zoo, monkeypatch):
    write(zoo / 'cat' / 'more' / 'a.png')
    unlistable(monkeypatch, zoo / 'cat' / 'more')
    assert zoo / 'cat' / 'more' in pictures.find_files(zoo / 'cat')
    images, _, _, unreadable = pictures.load_folder(zoo, 4)
    assert len(images) == 5 and unreadable == [(zoo / 'cat' / 'more', 'Permission denied')]


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
