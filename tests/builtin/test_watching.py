"""What dirwatcher decides, look by look: quiet time, once per path, generations, restarts."""

from __future__ import annotations

import json

from cryocloud_modules_builtin.watching import Arrival, Entry, Look, Verdict, Watch

A, B = "/d/a", "/d/b"


def restarted(*arrivals: Arrival, quiet_s: float = 0) -> Watch:
    """Return a watch that remembers arrivals as a restart does: through JSON."""
    watch = Watch(quiet_s)
    watch.restore(json.loads(json.dumps([arrival.memo for arrival in arrivals])), "/d")
    return watch


def keys(verdict: Verdict) -> list[str]:
    """Return the keys of what arrived."""
    return [arrival.key for arrival in verdict.arrivals]


def test_a_file_arrives_when_it_was_the_same_for_the_quiet_time() -> None:
    """The clock starts when we first see it, however old its own time is."""
    watch = Watch(5)

    assert keys(watch.observe(Look({A: Entry(1, 0.0)}, 100))) == []
    assert watch.next_due() == 105
    assert keys(watch.observe(Look({A: Entry(1, 0.0)}, 104.9))) == []
    assert keys(watch.observe(Look({A: Entry(1, 0.0)}, 105))) == ["/d/a|1"]
    assert not watch.is_growing


def test_growth_and_a_new_time_start_the_quiet_time_anew() -> None:
    """Size or mtime alone is enough to count as a change."""
    watch = Watch(5)
    for at, entry in [(0, Entry(1, 1.0)), (4, Entry(2, 1.0)), (8, Entry(2, 2.0)), (12, Entry(2, 2.0))]:
        assert keys(watch.observe(Look({A: entry}, at))) == []

    assert keys(watch.observe(Look({A: Entry(2, 2.0)}, 13))) == ["/d/a|1"]


def test_a_slow_look_shortens_no_quiet_time() -> None:
    """What a look saw may be as young as its end; the quiet time must be over when the next one begins."""
    watch = Watch(5)
    watch.observe(Look({A: Entry(1, 1.0)}, 0, until=3))

    assert keys(watch.observe(Look({A: Entry(1, 1.0)}, 7, until=9))) == []
    assert keys(watch.observe(Look({A: Entry(1, 1.0)}, 8, until=9))) == ["/d/a|1"]


def test_a_finished_file_arrives_at_once() -> None:
    """A writer that says it is done needs no quiet time; others still do."""
    watch = Watch(5)
    look = Look({A: Entry(1, 1.0), B: Entry(1, 1.0)}, 0, finished=frozenset({A, "/d/vanished"}))

    assert keys(watch.observe(look)) == ["/d/a|1"]


def test_a_change_after_the_arrival_is_ignored_while_somebody_watches() -> None:
    """Each path is reported once."""
    watch = Watch(0)
    watch.observe(Look({A: Entry(1, 1.0)}, 0))

    assert watch.observe(Look({A: Entry(9, 9.0)}, 1)) == Verdict()


def test_what_was_deleted_and_made_again_is_a_new_generation() -> None:
    """Its old key is given back, its new one differs, even for the same size and time."""
    watch = Watch(0)
    watch.observe(Look({A: Entry(1, 1.0)}, 0))

    assert watch.observe(Look({}, 1)).gone == ("/d/a|1",)
    assert keys(watch.observe(Look({A: Entry(1, 1.0)}, 2))) == ["/d/a|2"]


def test_what_was_replaced_between_two_looks_is_a_new_generation_when_it_differs() -> None:
    """A hint that it was gone for a moment counts only if the look shows something else."""
    watch = Watch(0)
    watch.observe(Look({A: Entry(1, 1.0)}, 0))
    here = frozenset({A})

    assert watch.observe(Look({A: Entry(1, 1.0)}, 1, here, replaced=here)) == Verdict()
    verdict = watch.observe(Look({A: Entry(1, 2.0)}, 2, here, replaced=here))
    assert (keys(verdict), verdict.gone) == (["/d/a|2"], ("/d/a|1",))


def test_what_vanishes_before_it_is_at_rest_is_forgotten_silently() -> None:
    """No arrival, no key to give back."""
    watch = Watch(5)
    watch.observe(Look({A: Entry(1, 1.0)}, 0))

    assert watch.observe(Look({}, 6)) == Verdict()
    assert not watch.is_growing


def test_a_look_at_some_paths_says_nothing_of_the_others() -> None:
    """Only what was examined can be gone."""
    watch = Watch(0)
    watch.observe(Look({A: Entry(1, 1.0), B: Entry(1, 1.0)}, 0))

    assert watch.observe(Look({}, 1, frozenset({B}))).gone == ("/d/b|1",)


def test_what_cannot_be_read_is_not_gone() -> None:
    """An unreadable directory hides what is below it; it does not delete it."""
    watch = Watch(0)
    watch.observe(Look({"/d/sub/a": Entry(1, 1.0), "/d/subway": Entry(1, 1.0)}, 0))

    verdict = watch.observe(Look({}, 1, unread=frozenset({"/d/sub"})))
    assert verdict.gone == ("/d/subway|1",)


def test_a_restart_repeats_only_what_changed() -> None:
    """The same size and time: known. Changed: a new generation. Gone: its key is given back."""
    old = [Arrival(path, Entry(1, 1.25), generation) for path, generation in [(A, 3), (B, 1), ("/d/c", 7)]]
    verdict = restarted(*old).observe(Look({A: Entry(1, 1.25), B: Entry(2, 1.25)}, 0))

    assert keys(verdict) == ["/d/b|8"]
    assert sorted(verdict.gone) == ["/d/b|1", "/d/c|7"]


def test_an_empty_directory_after_a_restart_decides_nothing() -> None:
    """It may be the mount point of a disk that is not there yet: when the disk comes, nothing is repeated."""
    watch = restarted(Arrival(A, Entry(1, 1.0), 1))

    assert watch.observe(Look({}, 0)) == Verdict()
    assert watch.needs_everything
    assert watch.observe(Look({A: Entry(1, 1.0)}, 1)) == Verdict()


def test_memory_of_two_generations_keeps_the_newer() -> None:
    """A crash between the new arrival and the giving back of the old key heals itself."""
    watch = restarted(Arrival(A, Entry(2, 2.0), 2), Arrival(A, Entry(1, 1.0), 1))

    assert watch.observe(Look({A: Entry(2, 2.0)}, 0)) == Verdict(gone=("/d/a|1",))


def test_a_restart_before_the_new_generation_arrives_does_not_use_a_key_twice() -> None:
    """The old key is given back together with the arrival of the new one, not before."""
    old = Arrival(A, Entry(1, 1.0), 1)
    changed = {A: Entry(2, 2.0)}

    assert restarted(old, quiet_s=5).observe(Look(changed, 0)) == Verdict()
    again = restarted(old, quiet_s=5)
    again.observe(Look(changed, 0))
    verdict = again.observe(Look(changed, 5))
    assert (keys(verdict), verdict.gone) == (["/d/a|2"], ("/d/a|1",))


def test_memory_of_another_directory_is_left_alone() -> None:
    """What a changed `src` no longer holds is neither new nor gone."""
    watch = restarted(Arrival("/e/a", Entry(1, 1.0), 1))

    assert watch.observe(Look({B: Entry(1, 1.0)}, 0)).gone == ()


def test_after_an_interruption_changes_count_again() -> None:
    """What changed while the disk was away is new; what is the same is not."""
    watch = Watch(0)
    watch.observe(Look({A: Entry(1, 1.0), B: Entry(1, 1.0)}, 0))
    watch.interrupted()

    assert keys(watch.observe(Look({A: Entry(1, 1.0), B: Entry(2, 1.0)}, 1))) == ["/d/b|2"]


def test_unwanted_paths_do_not_arrive_and_are_not_forgotten() -> None:
    """A changed pattern neither reports nor gives back what it no longer fits."""
    watch = Watch(0, lambda path: path != A)
    watch.restore([Arrival(A, Entry(1, 1.0), 1).memo], "/d")
    here = {A: Entry(1, 1.0), B: Entry(1, 1.0)}

    verdict = watch.observe(Look(here, 0))
    assert (keys(verdict), verdict.gone) == (["/d/b|2"], ())
    assert Watch(0, lambda path: path != A).observe(Look({A: Entry(1, 1.0)}, 0)) == Verdict()


def test_arrivals_come_oldest_first() -> None:
    """Files that came to rest together are reported in the order they were written."""
    watch = Watch(0)

    assert keys(watch.observe(Look({B: Entry(1, 2.0), A: Entry(1, 9.0), "/d/c": Entry(1, 1.0)}, 0))) == [
        "/d/c|1",
        "/d/b|1",
        "/d/a|1",
    ]
