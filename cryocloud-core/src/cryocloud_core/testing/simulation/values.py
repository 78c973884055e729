"""The laws of values, for the fault simulator: what every argument of a task must be.

Laws: a value is right when it is the one that this pebble, node, part and item made, in the order of the list, and it
is there when its maker succeeded; options are those of the pebble's birth, configuration is that of the moment.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from cryocloud_core.engine.events import Context
from cryocloud_core.engine.rendezvous import MODULE as COMMUNICATE
from cryocloud_core.graph.condition import Compare, Number
from cryocloud_core.graph.refs import ConfigRef, Literal, OptionRef, OutputRef
from cryocloud_core.graph.workflow import EVERYWHERE, Node
from cryocloud_core.task import Task, TaskId
from cryocloud_core.testing.simulation.facts import Facts, Shape, Spot, Violation, firing_of, part_of, spot_of
from cryocloud_core.testing.simulation.worlds import are_partners, items, key, token


@frozen
class Values:
    """Judges tasks by the facts."""

    facts: Facts

    def check(self, task: Task, context: Context) -> None:
        """Judge a task that was started in a context. Raises Violation."""
        name = TaskId.parse(task.id)
        node = self.facts.node_of(task.pebble, task.node)
        # Parts of a split that was open when the graph was replaced are what they were.
        is_kept = name.part is not None and self.facts.shape[task.pebble] is not self.facts.first[task.pebble]
        if name.attempt == 1 and not is_kept:
            self._check_keys(task, node, name, context)
        for argument, value in task.args.items():
            kind, _, of = argument.partition("_")
            if of and kind in ("from", "at", "k"):
                right = self._is_right(kind, of, value, name, node)
            else:
                right = self._is_setting(argument, value, name, node, context)
            if not right:
                raise Violation(f"{task.id}: argument {argument} is {value}")
        if "k" in task.args or task.loop is not None:
            self.facts.keys[spot_of(name)] = task.args["k" if task.loop is None else task.loop]

    # --- keys of the node ---------------------------------------------------------------------------------

    def _check_keys(self, task: Task, node: Node, name: TaskId, context: Context) -> None:
        """Node keys that a task carries, and a condition that must hold."""
        workdir = None if node.workdir is None else f"{self.facts.born[task.pebble].directory}/work"
        wanted = (node.priority, node.timeout_s, node.loop, node.placement.worker_class, workdir)
        if wanted != (task.priority, task.timeout_s, task.loop, task.kind, task.workdir):
            raise Violation(f"{task.id} is {task}, its node says {wanted}")
        if node.run_if is not None and not self._condition_holds(node, task.pebble):
            raise Violation(f"{task.id} runs although {node.run_if.text} does not hold")
        machines = self._machines(task, node, name, context)
        if machines is not None and task.machines != machines:
            raise Violation(f"{task.id} may run on {task.machines}, its node says {machines}")

    def _condition_holds(self, node: Node, pebble: int) -> bool:
        assert node.run_if is not None
        tree = node.run_if.tree
        assert isinstance(tree, Compare)
        if not isinstance(tree.right, Number):
            return bool(self.facts.born[pebble].options["mood"] == "good")
        came = self.facts.world.input_of(pebble) == "In"
        own = came and self.facts.world.values_of(pebble)["n"] < tree.right.value
        return own or self.facts.shape[pebble].meets

    def _machines(self, task: Task, node: Node, name: TaskId, context: Context) -> tuple[str, ...] | None:
        """Return where a task may run, None where that is not told here."""
        outer = (task.pebble, firing_of(name), task.node)
        if name.part is not None and outer in self.facts.everywhere:
            return (self.facts.lists[outer][name.part],)
        place = node.placement
        if place.machine is None or place.on_head:
            return ()
        match place.machine.source:
            case Literal(value):
                return _names(value)
            case OptionRef(option):
                return _names(self.facts.born[task.pebble].options[option])
            case ConfigRef(setting) if name.part is None:
                return _names(context.config[setting])
            case OutputRef(_, output) if not self.facts.shape[task.pebble].meets:
                came = self.facts.world.input_of(task.pebble) == "In"
                return _names(self.facts.world.values_of(task.pebble)[output] if came else None)
            case _:
                return None

    # --- arguments that are no node's value -----------------------------------------------------------------

    def _is_setting(self, argument: str, value: Any, name: TaskId, node: Node, context: Context) -> bool:
        born, pebble = self.facts.born[name.pebble], name.pebble
        match argument:
            case "opt":
                return bool(value == born.options["o"])
            case "cfg":
                newest = context.config["Root.c"]
                exact = name.part is None and name.attempt == 1
                return bool(value == newest if exact else born.config["Root.c"] <= value <= newest)
            case "k":
                came = self.facts.world.input_of(pebble) == "In"
                return value in ((key(pebble),) if came else (None, key(pebble)))
            case "why":
                return self._is_story(value, pebble)
            case "f":
                return self._is_item(value, name, node)
            case _:
                return True

    def _is_story(self, value: Any, pebble: int) -> bool:
        """A handler hears the text of a failure of its own pebble."""
        told = str(value).split(" ")
        if told[:1] != ["broken"]:
            return bool(value)
        return int(told[1]) == pebble and self.facts.states.get((pebble, told[2], told[3])) in ("error", "timeout")

    def _is_item(self, value: Any, name: TaskId, node: Node) -> bool:
        """A part has its own item, a loop the whole list."""
        source = node.args["f"].source
        assert isinstance(source, OutputRef)
        if node.split_on is None:
            return bool(value == self._listed(source.node, name)) or self.facts.shape[name.pebble].meets
        outer = (name.pebble, firing_of(name), node.name)
        assert name.part is not None
        known = [self.facts.lists[outer]] if outer in self.facts.lists else self._lists(source.node, name)
        found = [each for each in known if each[name.part : name.part + 1] == [value]]
        if found:
            self.facts.lists[outer] = found[0]
        return bool(found)

    def _lists(self, source: str, name: TaskId) -> list[Any]:
        """Return the lists that may have been split: that of its own pebble, or a partner's that lent it."""
        lenders = [n for n in (name.pebble - 1, name.pebble + 1) if source == "In" and self._may_lend(n, name.pebble)]
        return [self._listed(source, name), *(self.facts.world.values_of(each)["items"] for each in lenders)]

    def _listed(self, source: str, name: TaskId) -> Any:
        """Return the list of items that a node returned, or that was merged there."""
        facts, shape = self.facts, self.facts.shape[name.pebble]
        if shape.flow.nodes[source].merge:
            spots = self._spots(source, TaskId(name.pebble, name.node, firing=name.firing), shape)
            made = [] if isinstance(spots, tuple) else spots
            return [token(each[0], each[2], part_of(each)) if facts.is_success(each) else None for each in made]
        if source == "In":
            return facts.world.values_of(name.pebble)["items"] if facts.world.input_of(name.pebble) == "In" else []
        firing = firing_of(name) if source in shape.handled else ""
        return items(name.pebble, source) if facts.is_success((name.pebble, firing, source)) else []

    # --- values of nodes ------------------------------------------------------------------------------------

    def _spots(self, of: str, name: TaskId, shape: Shape) -> list[Spot] | Spot:
        """Return where values of a node come from: one spot for each part, or its only one."""
        firing = firing_of(name) if of in shape.handled else ""
        outer = (name.pebble, firing, of)
        region = shape.region_of.get(of)
        if outer in self.facts.everywhere:
            return [(name.pebble, f".{n}{firing}", of) for n in range(len(self.facts.lists.get(outer, [])))]
        if region is None:
            return outer
        is_part = name.part is not None and (name.pebble, firing_of(name), name.node) not in self.facts.everywhere
        if is_part and shape.region_of.get(name.node) is region:
            return (name.pebble, f".{name.part}{firing}", of)
        opened = self.facts.lists.get((name.pebble, firing, region.split))
        return outer if opened is None else [(name.pebble, f".{n}{firing}", of) for n in range(len(opened))]

    def _is_right(self, kind: str, of: str, value: Any, name: TaskId, node: Node) -> bool:
        """Judge a value of node `of` that node `node` is given."""
        shape = self.facts.shape[name.pebble]
        maker = shape.flow.nodes[of]
        spots = self._spots(of, name, shape)
        must = self._must_be_there(of, name, node, shape)
        if isinstance(spots, tuple):
            empty = self._was_empty(of, spots, shape)
            if value is None and kind == "from" and self._was_lent(of, name, node, shape):
                return False
            return value in (None, []) if empty else self._is_one(kind, maker, value, spots, must=must)
        if value is None:
            return not (must and kind == "from" and any(map(self.facts.is_success, spots)))
        if not isinstance(value, list) or len(value) != len(spots):
            return False
        each = zip(value, spots, strict=True)
        return all(self._is_one(kind, maker, one, spot, must=must) for one, spot in each)

    def _was_empty(self, of: str, spot: Spot, shape: Shape) -> bool:
        """Return True for a node of a region that had nothing to split."""
        region = shape.region_of.get(of)
        return region is not None and part_of(spot) is None and self.facts.is_success((*spot[:2], region.split))

    def _must_be_there(self, of: str, name: TaskId, node: Node, shape: Shape) -> bool:
        """Return True when what a parent made has to be in the value: all of it was there before the task was built."""
        region = shape.region_of.get(of)
        merge = shape.flow.nodes[region.merge] if region is not None and region.merge is not None else None
        early = of in shape.plan.late or (merge is not None and merge.resolve_on_any)
        return of in node.parents and name.attempt == 1 and not node.resolve_on_any and not early

    def _was_lent(self, of: str, name: TaskId, node: Node, shape: Shape) -> bool:
        """Return True for what somebody brought to the rendezvous that this node follows."""
        met = [shape.flow.nodes[parent] for parent in node.parents if shape.flow.nodes[parent].module == COMMUNICATE]
        whole = [each for each in met if of in each.parents and not each.resolve_on_any]
        return any(self.facts.is_success((name.pebble, "", each.name)) for each in whole)

    def _is_one(self, kind: str, maker: Node, value: Any, spot: Spot, *, must: bool) -> bool:
        """Judge the value of one run, its own or that of a partner."""
        facts = self.facts
        lent = [(n, *spot[1:]) for n in (spot[0] - 1, spot[0] + 1) if self._may_lend(n, spot[0])]
        if value is None:
            there = {"at": facts.where, "k": facts.keys}.get(kind, {spot: True}).get(spot)
            return not (must and facts.is_success(spot) and there is not None)
        if kind == "at":
            return value in {facts.where.get(each) for each in (spot, *lent)}
        if kind == "k":
            return value in {facts.keys.get(each) for each in (spot, *lent)}
        return any(self._is_token(maker, value, each) for each in (spot, *lent))

    def _may_lend(self, one: int, other: int) -> bool:
        return are_partners(one, other) and self.facts.shape[other].meets

    def _is_token(self, maker: Node, value: Any, spot: Spot) -> bool:
        part = part_of(spot)
        if maker.loop is not None:
            looped = self.facts.keys.get(spot, [])
            return bool(value == [token(spot[0], maker.name, part, n) for n in range(len(looped))])
        if maker.cache is not None:
            # It may be an equal task's of any pebble; whether it is equal is judged elsewhere.
            return isinstance(value, str)
        return bool(value == token(spot[0], maker.name, part))


def _names(value: Any) -> tuple[str, ...]:
    """Return the machines that a written value means."""
    found = value if isinstance(value, list) else [value]
    return (EVERYWHERE,) if value == EVERYWHERE else tuple(name for name in found if name)
