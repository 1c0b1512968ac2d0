"""The application: five pages that are refreshed together, and a page for the process that is chosen in the tree."""

from __future__ import annotations

import json
from collections import deque
from typing import Any, ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Header, Sparkline, Static, TabbedContent, TabPane, Tree
from textual.widgets.tree import TreeNode

from flurm.cli.common import NotRunning
from flurm.cli.top import rates, size
from flurm.config import Config
from flurm.observer.look import Look, leave_process, look, process_page

HISTORY = 120
_JOBS = ("job", "name", "user", "state", "partition", "priority", "reason")
_NODES = ("node", "state", "cpus", "memory_mib", "jobs", "reason")
_LOAD = ("messages/s", "jobs running", "jobs pending", "mailboxes")


class ObserverApplication(App[None]):
    """Looks at a controller every `interval_s` seconds and shows what it sees."""

    TITLE = "FLURM observer"
    CSS = """
    Sparkline { height: 3; margin: 0 2; }
    .title { margin: 1 2 0 2; color: $text-muted; }
    #status { margin: 1 2; }
    Tree { padding: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "Quit"), ("r", "refresh_now", "Refresh")]

    def __init__(self, config: Config, interval_s: float = 1.0) -> None:
        super().__init__()
        self.config, self.interval_s = config, interval_s
        self.before: Look | None = None
        self.history = {name: deque([0.0], HISTORY) for name in _LOAD}
        self._branches: dict[str, TreeNode[str]] = {}

    def compose(self) -> ComposeResult:
        """The pages."""
        yield Header(show_clock=True)
        with TabbedContent():
            with TabPane("Tree", id="tree"):
                yield Tree("flurm", id="processes")
            with TabPane("Processes", id="top"):
                yield DataTable(id="by-use", cursor_type="row")
            with TabPane("Jobs", id="jobs"):
                yield DataTable(id="all-jobs", cursor_type="row")
            with TabPane("Nodes", id="nodes"):
                yield DataTable(id="all-nodes", cursor_type="row")
            with TabPane("Load", id="load"), VerticalScroll():
                yield Static(id="status")
                for number, name in enumerate(_LOAD):
                    yield Static(name, classes="title", id=f"title-{number}")
                    yield Sparkline([0.0], id=f"load-{number}")
        yield Footer()

    def on_mount(self) -> None:
        """Name the columns, and begin to look."""
        self.query_one("#processes", Tree).show_root = False
        self._table("by-use").add_columns("process", "pid", "status", "mailbox", "msg/s", "cpu %", "memory", "up s")
        self._table("all-jobs").add_columns(*_JOBS)
        self._table("all-nodes").add_columns(*_NODES)
        self.action_refresh_now()
        self.set_interval(self.interval_s, self.action_refresh_now)

    def action_refresh_now(self) -> None:
        """Look, beside what is shown, and show it when it is there."""
        self.run_worker(self._look, thread=True, exclusive=True)

    def _look(self) -> None:
        seen = look(self.config)
        self.call_from_thread(self.show, seen)

    def show(self, seen: Look) -> None:
        """Show what was seen."""
        if seen.error:
            self.sub_title = f"nothing answers: {seen.error}"
            return
        before = self.before or seen
        rows = rates(before.processes, seen.processes, max(seen.at_s - before.at_s, 0.001))
        self.before = seen
        self.sub_title = f"{seen.status['cluster']}: {seen.status['status']}"
        self._show_tree(seen, rows)
        ranked = sorted(rows.values(), key=lambda row: (row["messages"], row["handled"]), reverse=True)
        self._fill("by-use", [_use(row) for row in ranked])
        self._fill("all-jobs", [[_cell(row[name]) for name in _JOBS] for row in seen.jobs])
        self._fill("all-nodes", [[_cell(row[name]) for name in _NODES] for row in seen.nodes])
        self._show_load(seen, before, sum(row["mailbox"] for row in rows.values()))

    def _show_tree(self, seen: Look, rows: dict[str, dict[str, Any]]) -> None:
        """Renew the labels; build the branches anew only where processes came or went."""
        tree = self.query_one("#processes", Tree)
        shape = _pids(seen.tree)
        if shape != list(self._branches):
            chosen = tree.cursor_node.data if tree.cursor_node is not None else None
            tree.clear()
            self._branches = {}
            for root in seen.tree:
                self._grow(tree.root, root)
            tree.root.expand_all()
            if chosen in self._branches:
                tree.move_cursor(self._branches[chosen])
        for row in _flat(seen.tree):
            self._branches[row["pid"]].set_label(_label(row, rows.get(row["pid"], {})))

    def _grow(self, parent: TreeNode[str], row: dict[str, Any]) -> None:
        if row["pid"] is None:
            return
        branch = parent.add(row["id"], data=row["pid"]) if row["children"] else parent.add_leaf(row["id"], row["pid"])
        self._branches[row["pid"]] = branch
        for child in row["children"]:
            self._grow(branch, child)

    def _show_load(self, seen: Look, before: Look, mailboxes: int) -> None:
        seconds = max(seen.at_s - before.at_s, 0.001)
        states = [row["state"] for row in seen.jobs]
        figures = (
            (seen.handled - before.handled) / seconds,
            float(states.count("RUNNING")),
            float(states.count("PENDING")),
            float(mailboxes),
        )
        for number, (name, figure) in enumerate(zip(_LOAD, figures, strict=True)):
            self.history[name].append(max(figure, 0.0))
            self.query_one(f"#load-{number}", Sparkline).data = list(self.history[name])
            self.query_one(f"#title-{number}", Static).update(f"{name}: {figure:.0f}")
        lines = [f"{key:<12} {value}" for key, value in seen.status.items()]
        scheduler = seen.scheduler
        lines.append(
            f"{'scheduler':<12} {scheduler['plugin']}, {scheduler['cycles']} cycles, last {scheduler['last_us']} µs"
        )
        self.query_one("#status", Static).update("\n".join(lines))

    def _table(self, name: str) -> DataTable[Any]:
        return self.query_one(f"#{name}", DataTable)

    def _fill(self, name: str, rows: list[list[Any]]) -> None:
        table = self._table(name)
        row, offset = table.cursor_row, table.scroll_offset
        table.clear()
        table.add_rows(rows)
        table.move_cursor(row=min(row, max(len(rows) - 1, 0)), scroll=False)
        table.scroll_to(offset.x, offset.y, animate=False)

    def on_tree_node_selected(self, event: Tree.NodeSelected[str]) -> None:
        """Enter on a process opens its page."""
        if event.node.data:
            self.push_screen(ProcessPage(self.config, event.node.data))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter on a process in the list, too."""
        if event.data_table.id == "by-use":
            self.push_screen(ProcessPage(self.config, str(event.data_table.get_row(event.row_key)[1])))


class ProcessPage(Screen[None]):
    """All about one process: state, mailbox, links, code, last messages."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "app.pop_screen", "Back"), ("r", "refresh_now", "Refresh")]

    def __init__(self, config: Config, pid: str) -> None:
        super().__init__()
        self.config, self.pid = config, pid

    def compose(self) -> ComposeResult:
        """A page that scrolls."""
        yield Header()
        with VerticalScroll():
            yield Static(id="page")
        yield Footer()

    def on_mount(self) -> None:
        """Look at the process."""
        self.action_refresh_now()
        self.set_interval(1.0, self.action_refresh_now)

    def action_refresh_now(self) -> None:
        """Look again, beside what is shown."""
        self.run_worker(self._look, thread=True, exclusive=True)

    def on_unmount(self) -> None:
        """Whoever is not looked at keeps no messages."""
        leave_process(self.config, self.pid)

    def _look(self) -> None:
        try:
            page = page_text(process_page(self.config, self.pid))
        except (NotRunning, ValueError) as error:
            page = Text(f"{self.pid}: {error}")
        self.app.call_from_thread(self._show, page)

    def _show(self, page: Text) -> None:
        self.query_one("#page", Static).update(page)


def page_text(facts: dict[str, Any]) -> Text:
    """The facts of a process, a line each; its state and last messages below."""
    text = Text()
    for key, value in facts.items():
        if key in ("state", "last_messages"):
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else size(value) if key == "memory" else value
        text.append(f"  {key:<14}", "bold").append(f"{shown}\n")
    text.append("\n  state\n", "bold").append(json.dumps(facts["state"], indent=2)[:20_000] + "\n")
    text.append("\n  last messages\n", "bold")
    text.append("\n".join(facts["last_messages"]) or "  none since this page was opened")
    return text


def _pids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["pid"] for row in _flat(rows)]


def _flat(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All processes of a tree, each before those below it."""
    return [each for row in rows if row["pid"] is not None for each in (row, *_flat(row["children"]))]


def _label(row: dict[str, Any], use: dict[str, Any]) -> Text:
    name = row["name"] or row["id"]
    label = Text(f"{name} ", "bold" if row["children"] else "")
    label.append(row["pid"], "dim")
    if row["strategy"]:
        label.append(f"  {row['strategy']}", "cyan")
    if row["status"] != "running":
        label.append(f"  {row['status']}", "red")
    if row["restarts"]:
        label.append(f"  restarts {row['restarts']}", "yellow")
    if use:
        label.append(f"  mailbox {use['mailbox']}  {use['messages']:.0f}/s  {size(use['memory'])}", "dim")
    return label


def _use(row: dict[str, Any]) -> list[Any]:
    figures = (row["mailbox"], f"{row['messages']:.1f}", f"{row['cpu']:.1f}", size(row["memory"]), f"{row['up_s']:.0f}")
    return [row["process"], row["pid"], row["status"], *figures]


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
