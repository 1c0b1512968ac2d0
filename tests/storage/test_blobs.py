"""The blob store: content by digest, durable, shared, collected."""

import errno
import hashlib
import os
import random
import threading
import time

import pytest

from flurm.storage.blobs import BlobMissing, BlobStore
from flurm.storage.errors import BlobsLost, CorruptBlob, StorageError, StorageFull
from flurm.storage.files import Device
from flurm.storage.packs import PackFiles
from tests.storage.builders import FailingDevice, LossyDevice

SMALL, LARGE = b"#!/bin/sh\n", b"x" * 300_000


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_a_blob_is_named_by_its_digest_and_there_after_opening_anew(tmp_path, content):
    digest = BlobStore(tmp_path).put(content)
    assert digest == digest_of(content)
    store = BlobStore(tmp_path)
    assert digest in store and store.get(digest) == content
    assert store.digests() == {digest}


def test_equal_content_is_stored_once_and_costs_no_further_sync(tmp_path):
    store = BlobStore(tmp_path)
    assert store.put_many([SMALL, LARGE, SMALL]) == [digest_of(SMALL), digest_of(LARGE), digest_of(SMALL)]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    syncs = store.packs.syncs
    store.put_many([SMALL, LARGE])
    assert store.packs.syncs == syncs
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_callers_that_wait_share_one_sync(tmp_path):
    class Gate(Device):
        def __init__(self):
            self.open, self.reached = threading.Event(), threading.Event()

        def sync(self, fd):
            self.reached.set()
            assert self.open.wait(10)
            super().sync(fd)

    gate = Gate()
    store = BlobStore(tmp_path, device=gate)
    first = threading.Thread(target=store.put, args=(b"first",))
    first.start()
    assert gate.reached.wait(10)
    others = [threading.Thread(target=store.put, args=(b"%d" % number,)) for number in range(20)]
    for other in others:
        other.start()
    deadline = time.monotonic() + 10
    while len(store.packs._gathering.blobs) < 20:
        assert time.monotonic() < deadline
    gate.open.set()
    for thread in (first, *others):
        thread.join(10)
    assert store.packs.syncs == 2
    assert all(BlobStore(tmp_path).get(digest_of(b"%d" % number)) for number in range(20))


def test_a_full_disk_refuses_a_blob_and_takes_it_when_there_is_room(tmp_path):
    device = FailingDevice()
    store = BlobStore(tmp_path, device=device)
    store.put(SMALL)
    device.room = 20
    with pytest.raises(StorageFull):
        store.put(b"y" * 100)
    assert digest_of(b"y" * 100) not in store
    device.room = None
    store.put(b"y" * 100)
    store = BlobStore(tmp_path)
    assert store.digests() == {digest_of(SMALL), digest_of(b"y" * 100)}
    assert store.packs.damaged == []


def test_after_a_failed_sync_a_blob_goes_into_a_new_pack(tmp_path):
    device = FailingDevice()
    store = BlobStore(tmp_path, device=device)
    store.put(SMALL)
    device.sync_fails = True
    with pytest.raises(Exception, match=os.strerror(errno.EIO)):
        store.put(b"lost")
    device.sync_fails = False
    store.put(b"kept")
    assert len(list((tmp_path / "packs").glob("pack-*"))) == 2
    assert BlobStore(tmp_path).get(digest_of(b"kept")) == b"kept"


def test_a_pack_torn_at_any_byte_keeps_what_was_durable_and_takes_new_blobs(tmp_path):
    BlobStore(tmp_path / "whole").put(SMALL)
    pack = next((tmp_path / "whole" / "packs").glob("pack-*"))
    durable = pack.stat().st_size
    BlobStore(tmp_path / "whole").put(b"last one")
    whole = pack.read_bytes()
    for size in range(durable, len(whole)):
        torn = tmp_path / f"{size}" / "packs" / pack.name
        torn.parent.mkdir(parents=True)
        torn.write_bytes(whole[:size])
        store = BlobStore(torn.parent.parent)
        assert store.digests() == {digest_of(SMALL)}
        assert bool(store.packs.torn) == (size > durable)
        store.put(b"last one")
        assert BlobStore(torn.parent.parent).get(digest_of(b"last one")) == b"last one"


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_blob_whose_content_changed_on_disk_is_not_handed_out(tmp_path, content):
    store = BlobStore(tmp_path)
    digest = store.put(content)
    path = max((path for path in tmp_path.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptBlob):
        store.get(digest)


def test_a_damaged_blob_is_not_taken_for_a_stored_one_when_it_is_put_again(tmp_path):
    digest = BlobStore(tmp_path).put(SMALL)
    pack = next((tmp_path / "packs").glob("pack-*"))
    pack.write_bytes(pack.read_bytes()[:-1] + b"?")
    store = BlobStore(tmp_path)
    assert digest not in store
    store.put(SMALL)
    assert store.get(digest) == SMALL


def test_collecting_removes_what_nobody_needs_and_spares_what_was_put_just_now(tmp_path):
    now = [0.0]
    store = BlobStore(tmp_path, grace_s=60, clock=lambda: now[0])
    needed, unneeded, again = store.put_many([b"needed", b"unneeded", LARGE])
    now[0] = 100.0
    store.put(LARGE)
    new = store.put(b"new")
    assert store.garbage({needed}) == {unneeded}
    assert store.collect({needed}) == {unneeded}
    assert store.digests() == {needed, again, new}
    with pytest.raises(BlobMissing):
        store.get(unneeded)


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_deleted_blob_is_gone_and_can_be_put_again(tmp_path, content):
    store = BlobStore(tmp_path)
    digest = store.put(content)
    store.delete(digest)
    assert digest not in store
    store.put(content)
    assert store.get(digest) == content


def test_compaction_moves_the_few_blobs_in_use_and_frees_their_pack(tmp_path):
    packs = PackFiles(tmp_path, pack_bytes=1000)
    blobs = {digest_of(content): content for content in (b"%d" % n * 100 for n in range(10, 40))}
    for digest, content in blobs.items():
        packs.put({digest: content})
    keep = dict(list(blobs.items())[::10])
    packs.forget(blobs.keys() - keep.keys())
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert packs.compact() > 0
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < size / 2
    packs.close()
    packs = PackFiles(tmp_path, pack_bytes=1000)
    assert all(packs.get(digest) == content for digest, content in keep.items())


def by_digest(*contents):
    return {digest_of(content): content for content in contents}


@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_what_is_kept_can_be_read_at_once_without_any_sync_and_is_durable_after_one(tmp_path, content):
    store = BlobStore(tmp_path, device=LossyDevice())
    digest = digest_of(content)
    store.keep({digest: content})
    assert digest in store and store.get(digest) == content and store.digests() == {digest}
    assert store.packs.syncs == 0
    store.sync()
    assert store.get(digest) == content
    store.packs._device.power_cut()
    assert BlobStore(tmp_path).get(digest) == content


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_keeping_what_is_there_costs_nothing(tmp_path, content):
    store = BlobStore(tmp_path)
    store.keep(by_digest(content))
    store.sync()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    store.keep(by_digest(content))
    store.sync()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


@pytest.mark.parametrize("seed", range(12))
def test_after_a_power_cut_what_was_synced_is_there_and_the_log_brings_the_rest_again(tmp_path, seed):
    chance = random.Random(seed)
    device = LossyDevice()
    store = BlobStore(tmp_path, device=device)
    store.packs.pack_bytes = 3000
    contents = [chance.randbytes(chance.randrange(1200)) for _ in range(20)] + [chance.randbytes(200_000)]
    chance.shuffle(contents)
    synced = contents[: chance.randrange(len(contents))]
    store.keep(by_digest(*synced))
    store.sync()
    for content in contents[len(synced) :]:
        store.keep(by_digest(content))
    device.power_cut(chance)
    again = BlobStore(tmp_path)
    assert again.packs.damaged == []
    assert all(again.get(digest_of(content)) == content for content in synced)
    assert again.missing(by_digest(*contents)) <= set(by_digest(*contents[len(synced) :]))
    again.keep(by_digest(*contents))
    assert all(again.get(digest_of(content)) == content for content in contents)
    again.sync()
    assert all(BlobStore(tmp_path).get(digest_of(content)) == content for content in contents)


def test_damage_to_what_was_synced_is_reported_and_not_taken_for_a_torn_tail(tmp_path):
    store = BlobStore(tmp_path)
    store.keep(by_digest(SMALL, b"other"))
    store.sync()
    pack = next((tmp_path / "packs").glob("pack-*"))
    pack.write_bytes(pack.read_bytes()[:40])
    store = BlobStore(tmp_path)
    assert (len(store.packs.damaged), store.packs.torn) == (1, [])


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_putting_what_was_only_kept_makes_it_durable(tmp_path, content):
    device = LossyDevice()
    store = BlobStore(tmp_path, device=device)
    store.keep(by_digest(content))
    store.put(content)
    device.power_cut()
    assert BlobStore(tmp_path).get(digest_of(content)) == content


def test_what_a_failed_sync_leaves_unreadable_is_lost_until_it_is_kept_again_or_not_wanted(tmp_path):
    class Forgetful(FailingDevice):
        """A disk that drops what it could not sync, as a kernel may."""

        def sync(self, fd):
            if self.sync_fails:
                os.pwrite(fd, bytes(os.fstat(fd).st_size), 0)
            super().sync(fd)

    device = Forgetful()
    store = BlobStore(tmp_path, grace_s=-1, device=device)
    contents = by_digest(b"one", b"two", b"three")
    store.keep(contents)
    device.sync_fails = True
    with pytest.raises(BlobsLost, match="3 blobs"):
        store.sync()
    device.sync_fails = False
    assert store.missing(contents) == contents.keys()
    with pytest.raises(BlobsLost, match="3 blobs"):
        store.sync()
    store.keep({digest: content for digest, content in contents.items() if content != b"three"})
    with pytest.raises(BlobsLost, match="1 blobs"):
        store.sync()
    store.collect({digest_of(b"one"), digest_of(b"two")})
    store.sync()
    store.close()
    again = BlobStore(tmp_path)
    assert [again.get(digest_of(content)) for content in (b"one", b"two")] == [b"one", b"two"]


def test_after_a_failed_sync_what_was_kept_goes_into_a_new_pack_with_the_next_one(tmp_path):
    device = FailingDevice()
    store = BlobStore(tmp_path, device=device)
    store.keep(by_digest(SMALL))
    device.sync_fails = True
    for _ in range(2):
        with pytest.raises(StorageError, match=os.strerror(errno.EIO)):
            store.sync()
        assert store.get(digest_of(SMALL)) == SMALL
    device.sync_fails = False
    store.sync()
    packs = sorted((tmp_path / "packs").glob("pack-*"))
    for suspect in packs[:-1]:
        suspect.write_bytes(bytes(suspect.stat().st_size))
    assert BlobStore(tmp_path).get(digest_of(SMALL)) == SMALL


def test_what_finds_no_room_can_be_read_and_is_durable_once_there_is_some(tmp_path):
    device = FailingDevice()
    store = BlobStore(tmp_path, device=device)
    device.room = 20
    store.keep(by_digest(b"y" * 100))
    assert store.get(digest_of(b"y" * 100)) == b"y" * 100
    with pytest.raises(StorageFull):
        store.sync()
    device.room = None
    store.sync()
    assert BlobStore(tmp_path).get(digest_of(b"y" * 100)) == b"y" * 100


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_what_was_only_kept_can_be_collected(tmp_path, content):
    store = BlobStore(tmp_path, grace_s=-1)
    store.keep(by_digest(content))
    assert store.collect(set()) == {digest_of(content)}
    store.sync()
    assert store.digests() == set() and store.missing({digest_of(content)}) == {digest_of(content)}
