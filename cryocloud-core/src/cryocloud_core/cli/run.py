"""`cryocloud run`: its flags; what they do is in `running`."""

from __future__ import annotations

import typer

from cryocloud_core.cli import flags


def run(
    ctx: typer.Context,
    files: flags.Files,
    *,
    scheduler: flags.Scheduler = "local",
    standalone: flags.Standalone = False,
    workers: flags.Workers = None,
    admin_workers: flags.AdminWorkers = None,
    gpus: flags.Gpus = None,
    name: flags.Name = None,
    node: flags.Node = None,
    profile: flags.Profile = None,
    state_dir: flags.StateDir = None,
    strict: flags.Strict = False,
    max_task_time: flags.MaxTaskTime = None,
    grace: flags.Grace = 30.0,
    once: flags.Once = False,
    module_paths: flags.ModulePaths = None,
    fresh: flags.Fresh = False,
    resume: flags.ResumeHow = None,
    force_inputs: flags.ForceInputs = False,
    reset_counters: flags.ResetCounters = False,
    metrics_port: flags.MetricsPort = None,
    loglevel: flags.LogLevel = flags.Level.INFO,
    debug: flags.Debug = False,
    import_modules: flags.ImportModules = False,
    json: flags.Json = False,
    address: flags.Address = None,
    kubernetes: flags.Kubernetes = False,
    estimate: flags.Estimate = False,
    nocache: flags.NoCache = False,
    allow_stub_code: flags.AllowStubCode = False,
) -> None:
    """Run workflows.

    Unfinished work of an earlier run goes on where it stopped.
    The options that a workflow declares are flags too: `cryocloud run FILE --help` lists them.
    """
    # The flags by name, before anything else is a local.
    given = dict(locals())
    from cryocloud_core.cli.running import start

    raise typer.Exit(start(given))
