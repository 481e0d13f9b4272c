"""Any file, any name, any folder: scripts/pictures.py and scripts/splits.py by properties."""
import hashlib
import io
import os
import struct
import tempfile
import unicodedata
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

import pictures
import splits

SIZE = 12


def saved(kind, **options):
    """A small picture as the bytes of a file of this kind."""
    noise = np.random.RandomState(0).randint(0, 256, (5, 7, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((35, 25)).save(file, kind, **options)
    return file.getvalue()


def texts():
    info = PngImagePlugin.PngInfo()
    info.add_text('Comment', 'a text', zip=True)
    info.add_itxt('Title', 'another')
    return info


EXIF = Image.Exif()
EXIF[0x0112] = 6
FILES = {kind: saved(kind) for kind in (
    'GIF', 'BMP', 'AVIF', 'JPEG2000', 'PPM', 'ICO', 'ICNS', 'PCX', 'SGI', 'DDS', 'QOI', 'TGA')}
FILES |= {kind: saved(kind, exif=EXIF) for kind in ('JPEG', 'WEBP', 'TIFF')}
FILES |= {'PNG': saved('PNG', exif=EXIF, pnginfo=texts()),
          'packed TIFF': saved('TIFF', compression='tiff_lzw')}


@pytest.fixture(scope='module')
def path(tmp_path_factory):
    return tmp_path_factory.mktemp('fuzz') / 'a picture'


def check_read(path):
    """It is read, or refused in a few words; returns whether it was read."""
    try:
        found = pictures.read_picture(path, SIZE)
    except ValueError as error:
        assert str(error) and '\n' not in str(error) and len(str(error)) < 300
        return False
    assert found.shape == (SIZE, SIZE, 3) and found.dtype == np.uint8
    return True


# ---------------------------------------------------------------------------------------------
# Any file


@pytest.mark.parametrize('kind', FILES)
@given(data=st.data())
def test_any_damage_gives_a_picture_or_a_reason(path, kind, data):
    content = bytearray(FILES[kind])
    places = st.integers(0, len(content) - 1)
    for place in data.draw(st.lists(places | st.integers(0, 99), max_size=6)):
        content[place % len(content)] = data.draw(st.sampled_from([0, 255]) | st.integers(0, 255))
    start, end = sorted((data.draw(places), data.draw(places)))
    change = data.draw(st.sampled_from(['none', 'cut', 'delete', 'repeat', 'insert']))
    if change == 'cut':
        del content[end:]
    elif change == 'delete':
        del content[start:end]
    elif change == 'repeat':
        content[start:start] = content[start:end]
    elif change == 'insert':
        content[start:start] = data.draw(st.binary(max_size=40))
    path.write_bytes(content)
    check_read(path)


@given(start=st.sampled_from([b'', pictures.PNG, b'\xff\xd8\xff', b'GIF89a', b'BM', b'II*\0',
                              b'P5 ', b'%!PS', b'8BPS', b'RIFF\0\0\0\0WEBP', b'icns', b'qoif',
                              b'DDS ']),
       rest=st.binary(max_size=200))
def test_any_bytes_give_a_picture_or_a_reason(path, start, rest):
    path.write_bytes(start + rest)
    check_read(path)


# What may stand beside the pixels of a PNG. tRNS and eXIf do change them.
REMARKS = st.sampled_from([b'tEXt', b'zTXt', b'iTXt', b'iCCP', b'gAMA', b'cHRM', b'sRGB', b'sBIT',
                           b'pHYs', b'tIME', b'bKGD', b'hIST', b'sPLT', b'oFFs', b'vpAg', b'acTL',
                           b'fcTL', b'fdAT', b'caBX', b'zzZz'])


@given(chunks=st.lists(st.tuples(REMARKS, st.binary(max_size=30), st.booleans()), max_size=4),
       after=st.booleans())
def test_what_stands_beside_the_pixels_of_a_png_does_not_matter(path, chunks, after):
    extra = b''.join(
        struct.pack('>I', len(content)) + kind + content
        + struct.pack('>I', zlib.crc32(kind + content) ^ (not whole))
        for kind, content, whole in chunks)
    content = FILES['PNG']
    path.write_bytes(content)
    wanted = pictures.read_picture(path, SIZE)
    where = len(content) - 12 if after else 33
    path.write_bytes(content[:where] + extra + content[where:])
    assert np.array_equal(pictures.read_picture(path, SIZE), wanted)


def grey_png(levels, bits, transparent):
    """A PNG of these levels (n, n), n a multiple of 8, each of `bits` bits, without Pillow."""
    n = len(levels)
    rows = [''.join(f'{level:0{bits}b}' for level in row) for row in levels.tolist()]
    packed = b''.join(b'\0' + int(row, 2).to_bytes(len(row) // 8, 'big') for row in rows)
    chunks = [(b'IHDR', struct.pack('>IIBBBBB', n, n, bits, 0, 0, 0, 0))]
    if transparent is not None:
        chunks.append((b'tRNS', struct.pack('>H', transparent)))
    chunks += [(b'IDAT', zlib.compress(packed)), (b'IEND', b'')]
    return pictures.PNG + b''.join(
        struct.pack('>I', len(content)) + kind + content
        + struct.pack('>I', zlib.crc32(kind + content)) for kind, content in chunks)


@given(bits=st.sampled_from([1, 2, 4, 8, 16]), seed=st.integers(0, 2 ** 32 - 1), key=st.booleans())
def test_levels_of_grey_pngs(path, bits, seed, key):
    white = 2 ** bits - 1
    levels = np.random.RandomState(seed).randint(0, white + 1, (8, 8))
    transparent = int(levels[3, 4]) if key else None
    path.write_bytes(grey_png(levels, bits, transparent))
    wanted = np.floor(levels / white * 255 + 0.5)
    wanted[levels == transparent] = 255
    assert np.array_equal(pictures.read_picture(path, 8, grey=True)[..., 0], wanted)


@given(kind=st.sampled_from(['PNG', 'TIFF', 'BMP', 'WEBP', 'PPM', 'TGA', 'PCX', 'SGI', 'QOI']),
       seed=st.integers(0, 2 ** 32 - 1))
def test_every_lossless_format_gives_the_same_bytes(path, kind, seed):
    pixels = np.random.RandomState(seed).randint(0, 256, (9, 9, 3), dtype=np.uint8)
    options = {'lossless': True} if kind == 'WEBP' else {}
    Image.fromarray(pixels).save(path, kind, **options)
    assert np.array_equal(pictures.read_picture(path, 9), pixels)


# ---------------------------------------------------------------------------------------------
# Any name, any folder

# What Linux allows, names that are no UTF-8 included (as Python spells them).
LETTERS = st.characters(exclude_characters='/\0', exclude_categories=['Cs']) | st.sampled_from(
    ['\udc80', '\udcff', ' ', '.', '-', '~', '\n', '\u0301', 'é', '猫', '🐈', '%', '{'])
NAMES = st.text(LETTERS, min_size=1, max_size=40).filter(lambda name: name not in ('.', '..'))
SYSTEMS = st.sampled_from(['@eaDir', '.hidden', 'Thumbs.db', '$RECYCLE.BIN', '__MACOSX', '#recycle',
                           'System Volume Information', 'lost+found', '._a.png', 'Icon\r'])
OUR_NAMES = st.sampled_from(['cat', 'dog', 'a.png', 'b.jpg', '2023', 'train', 'val', 'ö'])
PARTS = OUR_NAMES | NAMES | SYSTEMS
PLACES = st.lists(st.tuples(st.lists(PARTS, min_size=1, max_size=4), st.integers(0, 12)),
                  max_size=25)
GOOD = [saved('PNG', pnginfo=None)]
GOOD += [GOOD[0] + bytes([number]) for number in range(1, 10)]  # bytes behind the end do not matter
CONTENTS = [*GOOD, b'', b'no picture', GOOD[0][:-50]]


def build(root, places):
    """Makes the files of (parts of a path, number of a content) that can be made."""
    for parts, number in places:
        try:
            file = Path(root, *parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(CONTENTS[number])
        except OSError:  # a file of this name is in the way, or this disk does not take the name
            pass


def ours(root, path):
    """Whether no part of a path below `root` is a system's."""
    return not any(pictures.is_ignored(part) for part in path.relative_to(root).parts)


@given(places=PLACES)
def test_every_file_is_found_once_or_a_system_left_it(places):
    with tempfile.TemporaryDirectory() as root:
        build(root, places)
        wanted = [path for path in Path(root).rglob('*') if path.is_file() and ours(root, path)]
        assert Counter(pictures.find_files(root)) == Counter(wanted)


@given(name=NAMES)
@example(name='n' * 255)
@example(name='\udcff')
def test_any_name_can_be_read(name):
    with tempfile.TemporaryDirectory() as root:
        try:
            Path(root, name).write_bytes(GOOD[0])
        except OSError:
            return
        assert check_read(Path(root, name))


@given(name=st.text(max_size=300))
@example(name='x' * 300)
@example(name='a\0b')
@example(name='\ud800')
def test_any_text_is_a_picture_or_a_reason(name):
    check_read(Path('/nowhere', name))


@given(places=PLACES, bare=st.booleans())
@example(places=[], bare=True)
@example(places=[(['cat', '@eaDir', 'x.png'], 1), (['dog', 'gone.png'], 10)], bare=False)
@example(places=[(['train', 'cat', 'x.png'], 1), (['val', 'cat', 'y.png'], 2)], bare=False)
def test_a_split_is_a_partition_or_nothing(places, bare):
    """Every file of the user's is in one part or is named as left out."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder, 'source'), Path(folder, 'out')
        source.mkdir()
        build(source, places)
        if not bare:
            build(source, [([name, f'{i}.png'], i + start)
                           for start, name in ((0, 'cat'), (4, 'dog')) for i in range(4)])
        everything = {path: path.read_bytes() for path in source.rglob('*') if path.is_file()}
        try:
            done = splits.split(source, out)
        except (ValueError, OSError) as error:
            assert str(error) and os.listdir(folder) == ['source']
        else:
            parts = {side: {path.relative_to(out / side): path.read_bytes()
                            for path in (out / side).rglob('*') if path.is_file()}
                     for side in ('train', 'val')}
            left_out = {path.relative_to(source) for path, _ in done.left_out}
            assert not set(parts['train']) & set(parts['val']) and not left_out & (
                set(parts['train']) | set(parts['val']))
            assert {source / path for path in {*parts['train'], *parts['val'], *left_out}} == {
                path for path in everything if ours(source, path)}
            for side, count in (('train', done.train), ('val', done.val)):
                assert all(everything[source / path] == content
                           for path, content in parts[side].items())
                assert Counter(path.parts[0] for path in parts[side]) == Counter(count)
            # What is equal is on one side.
            assert not {hashlib.md5(content).digest() for content in parts['train'].values()} & {
                hashlib.md5(content).digest() for content in parts['val'].values()}
            assert list(done.train) == sorted(
                done.train, key=lambda name: unicodedata.normalize('NFC', name))
        assert everything == {path: path.read_bytes() for path in source.rglob('*')
                              if path.is_file()}
