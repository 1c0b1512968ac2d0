"""Blobs on their way from one member to another."""

import random

import pytest

from flurm.storage.blobs import BlobStore
from flurm.storage.copying import BlobCopy, BlobPiece, serve
from flurm.storage.errors import StorageError


@pytest.fixture
def source(tmp_path):
    return BlobStore(tmp_path / "source")


@pytest.fixture
def target(tmp_path):
    return BlobStore(tmp_path / "target")


def contents(count, seed=3):
    chance = random.Random(seed)
    return [chance.randbytes(chance.randrange(3000)) for _ in range(count)] + [chance.randbytes(400_000), b""]


def test_all_that_is_missing_comes_with_answers_of_bounded_size_and_is_durable_after_a_sync(source, target, tmp_path):
    blobs = contents(50)
    digests = source.put_many(blobs)
    target.put_many(blobs[:10])
    copy, answers = BlobCopy(target, digests), []
    while wanted := copy.wanted(7):
        answers.append(serve(source, wanted, 100_000))
        copy.take(answers[-1])
    assert max(sum(len(piece.data) for piece in answer) for answer in answers) <= 100_000
    assert not {piece.digest for answer in answers for piece in answer} & set(digests[:10])
    target.sync()
    again = BlobStore(tmp_path / "target")
    assert [again.get(digest) for digest in digests] == blobs
    assert copy.unavailable == set()


def test_what_the_other_does_not_have_is_not_asked_for_for_ever(source, target):
    (there,) = source.put_many([b"there"])
    copy = BlobCopy(target, [there, "ab" * 32])
    copy.take(serve(source, copy.wanted()))
    assert (copy.wanted(), copy.unavailable) == ([], {"ab" * 32})
    assert target.digests() == {there}


def test_a_damaged_blob_is_not_handed_on(source, target, tmp_path):
    (digest,) = source.put_many([b"content"])
    pack = next((tmp_path / "source" / "packs").glob("pack-*"))
    pack.write_bytes(pack.read_bytes().replace(b"content", b"contend"))
    assert serve(source, BlobCopy(target, [digest]).wanted()) == [BlobPiece(digest, 0, b"", -1)]


def test_content_that_changed_on_the_way_is_thrown_away_and_wanted_again(source, target):
    (digest,) = source.put_many([b"content"])
    copy = BlobCopy(target, [digest])
    copy.take([BlobPiece(digest, 0, b"contend", 7)])
    assert digest not in target
    copy.take(serve(source, copy.wanted()))
    assert target.get(digest) == b"content"


def test_pieces_may_come_twice_or_without_having_been_asked_for(source, target):
    (digest,) = source.put_many([b"x" * 1000])
    copy = BlobCopy(target, [digest])
    first = serve(source, copy.wanted(), 600)
    copy.take(first)
    copy.take([*first, BlobPiece("cd" * 32, 0, b"y", 1)])
    copy.take(serve(source, copy.wanted(), 600))
    assert target.get(digest) == b"x" * 1000
    assert (copy.wanted(), target.digests()) == ([], {digest})


def test_a_source_that_cannot_be_read_says_so(source, target, tmp_path):
    (digest,) = source.put_many([b"content"])
    next((tmp_path / "source" / "packs").glob("pack-*")).unlink()
    with pytest.raises(StorageError):
        serve(source, BlobCopy(target, [digest]).wanted())
