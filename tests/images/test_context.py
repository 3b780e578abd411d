"""What goes into a build, and the key of it: only content, modes and names count, and nothing gets in by accident."""

from __future__ import annotations

import io
import os
import random
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen.core.chain import ImageSpec
from bluegreen.errors import Refused, UsageError
from bluegreen.images import chain, context, guard, ignore
from bluegreen.images.inputs import collect

FROM_SCRATCH = "FROM scratch\nCOPY . /\n"
SPEC = ImageSpec("app", "registry.test/shop/app", "scratch", "linux/amd64", "Dockerfile", "in", (".",))

NAMES = st.text("abcXYZ0_.é ", min_size=1, max_size=6).filter(lambda name: name.strip(". ") == name)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(
    PATHS, st.tuples(st.binary(max_size=40), st.sampled_from([0o644, 0o755, 0o600])), min_size=1, max_size=6
)


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        (Path(name) / "Dockerfile").write_text(FROM_SCRATCH)
        (Path(name) / "in").mkdir()
        (Path(name) / "in" / "always-there").touch(0o644)
        yield Path(name)


def put(root: Path, files: dict[str, tuple[bytes, int]], order: list[str]) -> None:
    for path in order:
        content, mode = files[path]
        target = root / "in" / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        target.write_bytes(content)
        target.chmod(mode)


def key(root: Path, spec: ImageSpec = SPEC) -> str:
    (planned,) = chain.read([spec], root, lambda base: base)
    return planned.key


def tar(root: Path) -> bytes:
    (planned,) = chain.read([SPEC], root, lambda base: base)
    out = io.BytesIO()
    context.write(planned.context, planned.dockerfile, planned.values, out)
    return out.getvalue()


def possible(files: dict[str, tuple[bytes, int]]) -> bool:
    """No file is a folder of another."""
    return not any(one.startswith(f"{other}/") for one in files for other in files)


@settings(max_examples=60, deadline=None)
@given(files=FILES.filter(possible), seed=st.integers(0, 1 << 30), data=st.data())
def test_the_key_is_of_content_modes_and_names_alone(
    files: dict[str, tuple[bytes, int]], seed: int, data: st.DataObject
) -> None:
    with folder() as one, folder() as other:
        put(one, files, sorted(files))
        put(other, files, random.Random(seed).sample(sorted(files), len(files)))
        for path in other.rglob("*"):
            os.utime(path, (seed, seed))
            os.chown(path, 12345, 54321) if os.geteuid() == 0 else None
        assert key(one) == key(other)
        assert tar(one) == tar(other)

        changed = other / "in" / data.draw(st.sampled_from(sorted(files)))
        match data.draw(st.sampled_from(["byte", "mode", "name", "gone", "more"])):
            case "byte":
                changed.write_bytes(changed.read_bytes() + b"!")
            case "mode":
                changed.chmod(changed.stat().st_mode ^ 0o100)
            case "name":
                changed.rename(changed.with_name("renamed-to-this"))
            case "gone":
                changed.unlink()
            case "more":
                changed.with_name("one-file-more").touch()
        assert key(one) != key(other)


def test_whatever_decides_what_a_build_makes_is_in_the_key(tmp_path: Path) -> None:
    with folder() as root:
        put(root, {"a": (b"1", 0o644), "b": (b"2", 0o644)}, ["a", "b"])

        others = [
            SPEC._replace(platform="linux/arm64"),
            SPEC._replace(args=(("X", "1"),)),
            SPEC._replace(args=(("X", "2"),)),
            SPEC._replace(inputs=("a",)),
        ]
        keys = {key(root), *(key(root, spec) for spec in others)}
        (root / "Dockerfile").write_text(FROM_SCRATCH + "USER 1\n")
        keys.add(key(root))
        assert len(keys) == 6

        by_lock = SPEC._replace(key_files=("a",))
        before = key(root, by_lock)
        (root / "in" / "b").write_text("changed")
        assert key(root, by_lock) == before
        (root / "in" / "a").write_text("changed")
        assert key(root, by_lock) != before


def test_a_parent_passes_its_change_on_and_a_moved_base_changes_all(tmp_path: Path) -> None:
    for name in ("base", "deps"):
        (tmp_path / name).write_text("ARG BASE\nFROM ${BASE}\n")
    outside = "registry.test/os:12"
    specs = [ImageSpec("deps", "r/deps", "base", "p", "deps"), ImageSpec("base", "r/base", outside, "p", "base")]

    def keys(digest: str) -> dict[str, chain.Planned]:
        return {one.name: one for one in chain.read(specs, tmp_path, lambda base: f"registry.test/os@{digest}")}

    one, other = keys("sha256:1"), keys("sha256:2")
    assert list(one) == ["base", "deps"] and one["base"].base == "registry.test/os@sha256:1"
    assert one["base"].key != other["base"].key and one["deps"].key != other["deps"].key
    assert chain.because(other["deps"], Had(chain.labels(one["deps"]))) == ("parent base changed",)
    assert chain.because(other["base"], Had(chain.labels(one["base"]))) == (f"parent {outside} changed",)
    assert chain.because(one["base"], Had(chain.labels(one["base"])))[0].startswith("the registry has")
    assert chain.because(one["base"], Had({})) == ("nothing was built before",)


class Had:
    """A registry whose newest image has these labels, and nothing under any key."""

    def __init__(self, labels: dict[str, str]) -> None:
        self._labels = labels

    def labels(self, reference: str) -> dict[str, str]:
        return self._labels

    def find(self, reference: str) -> str:
        return ""


def test_inputs_and_nothing_else(tmp_path: Path) -> None:
    put_all = dict.fromkeys(("a.py", "b.txt", "d/c.py", "d/e/f.py", "node/x.py", ".hidden"), (b"x", 420))
    (tmp_path / "in").mkdir()
    put(tmp_path, put_all, list(put_all))
    root = tmp_path / "in"

    def of(*patterns: str) -> list[str]:
        return [entry.path for entry in collect(root, patterns).entries if entry.is_file]

    assert of("*.py") == ["a.py"]
    assert of("**/*.py") == ["a.py", "d/c.py", "d/e/f.py", "node/x.py"]
    assert of("d") == of("d/**") == ["d/c.py", "d/e/f.py"]
    assert of("d/*.py", "b.txt") == ["b.txt", "d/c.py"]
    (root / ".dockerignore").write_text("# no\nd/e\n!d/e/f.py\nnode\n**/*.txt\n")
    assert of(".") == [".dockerignore", ".hidden", "a.py", "d/c.py", "d/e/f.py"]
    with pytest.raises(UsageError, match="no such file"):
        of("nothing*")
    with pytest.raises(UsageError, match="ignored") as caught:
        of("b.txt")
    assert "line 5" in caught.value.why


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a", "a/b/c", 1),
        ("/a", "a", 1),
        ("b", "a/b", 0),
        ("**/b", "a/b", 1),
        ("*.md\n!README.md", "README.md", 0),
        ("*.md\n!README.md", "x.md", 1),
        ("a/*\n!a/keep\na/keep/not", "a/keep/not", 3),
        ("?[0-9].txt", "a1.txt", 1),
        ("?[0-9].txt", "a/1.txt", 0),
    ],
)
def test_dockerignore_by_dockers_rules(text: str, path: str, line: int) -> None:
    assert ignore.read(text).line_for(path) == line


def test_links_stay_links_and_may_not_leave(tmp_path: Path) -> None:
    root = tmp_path / "in"
    (root / "d").mkdir(parents=True)
    (root / "d" / "f").write_text("x")
    (root / "inside").symlink_to("d/f")
    found = {entry.path: entry.target for entry in collect(root, ["."]).entries}
    assert found == {"d": "", "d/f": "", "inside": "d/f"}
    for target in ("../secret", "/etc/passwd", "d/../../x"):
        link = root / "leaves"
        link.symlink_to(target)
        with pytest.raises(UsageError, match="leaves the context"):
            collect(root, ["."])
        link.unlink()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "f").write_text("x")
    (root / "way").symlink_to("../elsewhere")
    with pytest.raises(UsageError, match="reached through the symbolic link way"):
        collect(root, ["way/f"])
    os.mkfifo(root / "pipe")
    with pytest.raises(UsageError, match="neither file, folder nor link"):
        collect(root, ["pipe"])


def test_a_file_that_changes_while_the_build_begins_is_told(tmp_path: Path) -> None:
    with folder() as root:
        put(root, {"a": (b"1", 0o644)}, ["a"])
        (planned,) = chain.read([SPEC], root, lambda base: base)
        (root / "in" / "a").write_text("2")
        with pytest.raises(Refused, match="changed while the build began"):
            context.write(planned.context, planned.dockerfile, planned.values, io.BytesIO())


def test_the_tar_is_plain() -> None:
    with folder() as root:
        put(root, {"d/a": (b"1", 0o755)}, ["d/a"])
        with tarfile.open(fileobj=io.BytesIO(tar(root))) as found:
            members = {m.name: (m.mode, m.mtime, m.uid, m.gid, m.uname) for m in found}
    assert members["d/a"] == (0o755, 0, 0, 0, "")
    assert list(members) == [".dockerignore", context.DOCKERFILE, "always-there", "d", "d/a"]


SECRETS = {
    "id_rsa": "x",
    "deploy_key": "-----BEGIN OPENSSH PRIVATE KEY-----\nx",
    "tls/server.key": "-----BEGIN RSA PRIVATE KEY-----\nx",
    "ca.pem": "text before\n-----BEGIN EC PRIVATE KEY-----\nx",
    "pgp.asc": "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx",
    "putty.txt": "PuTTY-User-Key-File-3: ssh-ed25519",
    ".env": "A=1",
    "conf/.env.production": "A=1",
    ".git/config": "x",
    ".ssh/known_hosts": "x",
    ".aws/credentials": "x",
    ".kube/config": "x",
    "settings.py": "KEY = 'AKIAIOSFODNN7EXAMPLE'",
    "aws.ini": "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG",
    "google.json": '{"type": "service_account"}',
    "azure.txt": "AccountKey=abcdefghijklmnopqrstuvwx==",
    "ci.yml": "token: ghp_" + "a" * 36,
    "gitlab.yml": "token: glpat-" + "a" * 20,
    "slack.py": "xoxb-" + "1" * 12,
    "stripe.py": "sk_live_" + "a" * 24,
    ".npmrc": "//registry.test/:_authToken=abc",
    ".pypirc": "x",
    ".netrc": "x",
    ".git-credentials": "x",
    ".docker/config.json": "{}",
    "login.json": '{"auths": {"r": {"auth": "ZGVwbG95OnBhc3M="}}}',
    "store.jks": "x",
    "config/master.key": "x",
    "terraform.tfstate": "{}",
    ".htpasswd": "x",
}


@pytest.mark.parametrize("path", SECRETS)
def test_a_planted_secret_is_refused_unless_named(path: str, tmp_path: Path) -> None:
    for name in (path, "harmless.py", ".env.example"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(SECRETS.get(name, "SECRET_KEY = os.environ['SECRET_KEY']"))
    with pytest.raises(Refused) as caught:
        guard.check("app", collect(tmp_path, ["."]))
    assert "app: 1 file must not go" in caught.value.what
    assert path.split("/", maxsplit=1)[0] in caught.value.what and "harmless" not in caught.value.what
    folders = [str(parent) for parent in Path(path).parents if str(parent) != "."]
    if not folders:
        guard.check("app", collect(tmp_path, [path, "harmless.py"]))
    shutil.rmtree(tmp_path / path) if (tmp_path / path).is_dir() else (tmp_path / path).unlink()


def test_a_large_file_is_refused_unless_named(tmp_path: Path) -> None:
    with (tmp_path / "dump").open("wb") as file:
        file.truncate(guard.LARGE_BYTES + 1)
    with pytest.raises(Refused, match="dump: 16 MiB, more than 16"):
        guard.check("app", collect(tmp_path, ["*"]))
    guard.check("app", collect(tmp_path, ["dump"]))


def test_a_file_of_just_that_size_is_not_large(tmp_path: Path) -> None:
    with (tmp_path / "dump").open("wb") as file:
        file.truncate(guard.LARGE_BYTES)
    guard.check("app", collect(tmp_path, ["*"]))


@pytest.mark.parametrize("folder", [".git", ".aws", "app/.ssh"])
def test_naming_a_folder_does_not_let_its_secrets_in(folder: str, tmp_path: Path) -> None:
    """Only files may be meant: who names a folder may not know what is in it. It is told once, not file by file."""
    (tmp_path / folder).mkdir(parents=True)
    for name in ("config", "other"):
        (tmp_path / folder / name).write_text("x")
    with pytest.raises(Refused) as caught:
        guard.check("app", collect(tmp_path, [folder]))
    assert caught.value.what.startswith("app: 1 file must not") and f"  {folder}: " in caught.value.what


def test_a_secret_in_a_folder_that_is_named_is_refused_and_one_that_is_named_itself_is_meant(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / ".netrc").write_text("x")
    with pytest.raises(Refused, match=r"conf/\.netrc"):
        guard.check("app", collect(tmp_path, ["conf"]))
    guard.check("app", collect(tmp_path, ["conf/.netrc"]))


@pytest.mark.parametrize(("before", "seen"), [(0, True), (100_000, True), ((1 << 20) - 40, True), (1 << 20, False)])
def test_the_first_mebibyte_of_a_file_is_looked_at(before: int, seen: bool, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b" " * before + b"-----BEGIN PRIVATE KEY-----\n")
    if seen:
        with pytest.raises(Refused, match=r"notes\.txt: a private key"):
            guard.check("app", collect(tmp_path, ["."]))
    else:
        guard.check("app", collect(tmp_path, ["."]))


@pytest.mark.parametrize(("number", "more"), [(20, ""), (21, "and 1 more")])
def test_at_most_twenty_files_are_named(number: int, more: str, tmp_path: Path) -> None:
    for i in range(number):
        (tmp_path / f"{i}.pem").write_text("-----BEGIN PRIVATE KEY-----")
    with pytest.raises(Refused) as caught:
        guard.check("app", collect(tmp_path, ["."]))
    assert caught.value.what.startswith(f"app: {number} files must not go")
    assert (
        caught.value.what.count(".pem") == 20
        and ("more" in caught.value.what) is bool(more)
        and more in caught.value.what
    )
