"""The blob store: content by digest, durable, shared, collected."""

import errno
import hashlib
import os
import threading
import time

import pytest

from flurm.storage.blobs import BlobMissing, BlobStore
from flurm.storage.errors import CorruptBlob, StorageFull
from flurm.storage.files import Device
from flurm.storage.packs import PackFiles
from tests.storage.builders import FailingDevice

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
    assert len(list((tmp_path / "packs").iterdir())) == 2
    assert BlobStore(tmp_path).get(digest_of(b"kept")) == b"kept"


def test_a_pack_torn_at_any_byte_keeps_what_was_durable_and_takes_new_blobs(tmp_path):
    BlobStore(tmp_path / "whole").put(SMALL)
    pack = next((tmp_path / "whole" / "packs").iterdir())
    durable = pack.stat().st_size
    BlobStore(tmp_path / "whole").put(b"last one")
    whole = pack.read_bytes()
    for size in range(durable, len(whole)):
        torn = tmp_path / f"{size}" / "packs" / pack.name
        torn.parent.mkdir(parents=True)
        torn.write_bytes(whole[:size])
        store = BlobStore(torn.parent.parent)
        assert store.digests() == {digest_of(SMALL)}
        assert bool(store.packs.damaged) == (size > durable)
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
    pack = next((tmp_path / "packs").iterdir())
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
