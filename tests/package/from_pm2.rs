//! `pidone-from-pm2` on pm2 files of the shapes that are found in repositories, and what it prints, tried.

use std::fmt::Write;
use std::process::Command;

use crate::files::project_of;
use crate::harness::{TempDir, is_installed, patience};
use crate::printed::{all, app, installed, printed, started};

#[test]
fn each_app_has_its_command_line() {
    for (file, name, line) in [
        (
            "api",
            "Shop API",
            "pidone -i auto --ready-timeout 8s --max-memory 512M --grace 5s -- node dist/main.js",
        ),
        (
            "zero",
            "zero",
            "pidone -i auto --instance-var INSTANCE_ID -- node build/server.js",
        ),
        (
            "module",
            "module",
            "pidone -i auto --restart on-failure -e 7 --ready message -- node --enable-source-maps \
             --max-old-space-size=256 --import ./preload.mjs server.mjs --verbose --name 'two words'",
        ),
        (
            "esm",
            "ports",
            "PORT=41000 pidone -i 2 --backoff 250ms..15s --min-uptime 5s --max-restarts 16/5m --port-env PORT -- node app.mjs",
        ),
        (
            "json",
            "json",
            "pidone --restart always --backoff 3s..3s --max-restarts 10/1m -- node app.js",
        ),
        (
            "yaml",
            "front",
            "pidone -i 2 --instance-var WORKER -- node front.js",
        ),
        (
            "npm",
            "npm",
            "pidone -i 2 --max-memory 300M -- node node_modules/.bin/framework start --port 3000",
        ),
        (
            "monorepo",
            "monorepo/api",
            "pidone -i 2 -- node dist/index.js",
        ),
        (
            "monorepo",
            "queue",
            "pidone -i 1 --max-memory 200M -- node worker.js",
        ),
        (
            "monorepo",
            "mailer",
            "pidone --restart always --grace 1600ms -- node worker.js",
        ),
        ("monorepo", "report", "pidone -- node jobs/report.js"),
        (
            "monorepo",
            "python",
            "pidone --restart always -- python3 -u tools/watch.py --interval 5",
        ),
        (
            "monorepo",
            "shell",
            "pidone --restart always -- tools/loop.sh",
        ),
        (
            "next",
            "next",
            "pidone -i 2 --ready-timeout 20s --max-memory 300M -- node node_modules/next/dist/bin/next start -p 3000",
        ),
        (
            "typescript",
            "typescript",
            "pidone -i 1 --ready message --ready-timeout 10s --kill-mode process --log-format json -- \
             node -r ts-node/register --no-warnings src/index.ts",
        ),
        (
            "computed",
            "computed-2",
            "pidone -i 1 --backoff 100ms..100ms --min-uptime 2s --max-memory 1500M -- node shard.js --shard 2",
        ),
        ("list", "list", "pidone -i 2 -- node server.js"),
        (
            "command",
            "command",
            "pidone --restart always -- node --no-warnings server.js --port 3000",
        ),
        (
            "command",
            "piped",
            "pidone --restart always -- sh -c 'node server.js | tee app.log'",
        ),
        ("bun", "bun", "pidone -i 2 -- bun server.ts"),
        ("one", "one", "pidone -i 1 --max-memory 64M -- node bin/www"),
    ] {
        let Some(app) = app(file, name) else { return };
        assert_eq!(app.command(), line, "{file}");
    }
}

#[test]
fn options_without_an_equivalent_have_their_remedy() {
    for (file, name, option, remedy) in [
        ("api", "Shop API", "out_file", "docker logs"),
        ("api", "Shop API", "error_file", "docker logs"),
        ("api", "Shop API", "log_date_format", "--timestamps"),
        ("zero", "zero", "increment_var", "NODE_APP_INSTANCE"),
        ("module", "module", "instances (-1)", "-i N"),
        ("module", "module", "instance_var", "--instance-var another"),
        ("module", "module", "shutdown_with_message", "SIGTERM"),
        (
            "json",
            "json",
            "cron_restart (0 3 * * *)",
            "docker restart json",
        ),
        ("json", "json", "watch", "node --watch"),
        ("json", "json", "output", "docker logs"),
        ("monorepo", "report", "cron_restart", "orchestrator"),
        ("list", "list", "max_memory: ", "no such option"),
        ("list", "list", "io", "node --import"),
        ("list", "list", "filter_env", "variables that you give it"),
        ("list", "list", "disable_logs", "none"),
        ("list", "list", "autostart", "profiles"),
    ] {
        let Some(app) = app(file, name) else { return };
        let line = app.about("No equivalent", option);
        assert!(line.contains(remedy), "{file}: {line}");
    }
    for (file, name, option, advice) in [
        ("api", "Shop API", "env_production", "--env production"),
        ("module", "module", "stop_exit_codes", "exits with 0"),
        ("esm", "ports", "increment_var", "its own port"),
        (
            "monorepo",
            "queue",
            "an app that listens on no port",
            "--ready none",
        ),
        (
            "command",
            "piped",
            "\"node server.js | tee",
            "name the app's own command",
        ),
        ("bun", "bun", "bun", "docs/runtimes.md"),
    ] {
        let line = app(file, name).unwrap().about("Check", option);
        assert!(line.contains(advice), "{file}: {line}");
    }
}

#[test]
fn an_environment_is_chosen_as_in_pm2() {
    let Some(project) = installed("--env") else {
        return;
    };
    let directory = project_of("api");
    let apps = printed(
        project,
        "api",
        &directory.path(""),
        &["--env", "production"],
    );
    let compose = apps[0].part("compose.yaml").join("\n");
    assert!(
        compose.contains("PORT: \"8080\"") && compose.contains("\"8080:8080\""),
        "{compose}"
    );
    assert!(
        !apps[0]
            .part("Check")
            .iter()
            .any(|line| line.contains("env_production"))
    );
    // Without it, the file is found by its usual name.
    let apps = printed(project, "api", &directory.path(""), &[]);
    assert!(
        apps[0]
            .part("compose.yaml")
            .join("\n")
            .contains("3000:3000")
    );
}

/// In a checkout before `npm install`, and with variables that only the server has.
#[test]
fn what_is_not_here_is_named() {
    let Some(project) = installed("a bare checkout") else {
        return;
    };
    let directory = TempDir::new();
    directory.file(
        "package.json",
        r#"{ "dependencies": { "framework": "1" }, "scripts": { "start": "framework start", "all": "npm-run-all a b && c" } }"#,
        0o644,
    );
    directory.file(
        "ecosystem.config.js",
        "module.exports = { apps: [
           { name: 'web', script: 'npm', args: 'start', interpreter: 'none', cwd: '/srv/web/current/../current',
             increment_var: 'PORT', env: { PORT: process.env.PORT_OF_THE_SERVER } },
           { name: 'all', script: 'yarn all' },
           { name: 'path', cwd: '/srv/web', script: '/srv/web/dist/main.js' },
           { name: 'elsewhere', script: 'npm', args: 'run unknown', instances: 1 },
         ] };",
        0o644,
    );
    let apps = printed(project, "bare", &directory.path(""), &[]);
    assert_eq!(
        apps[0].command(),
        "pidone -i 1 -- node node_modules/.bin/framework start"
    );
    assert!(apps[0].about("Check", "cwd /srv/web").contains("/app"));
    assert!(apps[0].about("Check", "env: no value").contains("PORT"));
    let ports = apps[0].about("No equivalent", "increment_var");
    assert!(ports.contains("--port-env PORT"), "{ports}");
    let shell = "pidone --restart always -- sh -c 'npm-run-all a b && c'";
    assert_eq!(apps[1].command(), shell);
    let advice = apps[1].about("Check", "\"npm-run-all a b && c\"");
    assert!(advice.contains("a shell"), "{advice}");
    assert!(apps[2].command().ends_with("-- node dist/main.js"));
    let advice = apps[3].about("Check", "npm run unknown keeps npm");
    assert!(advice.contains("name the command"), "{advice}");
}

#[test]
fn what_cannot_be_read_is_said_in_one_sentence() {
    let Some(project) = installed("wrong files") else {
        return;
    };
    let directory = TempDir::new();
    directory.file("broken.config.js", "module.exports = {", 0o644);
    directory.file("missing.config.js", "require('dotenv').config()", 0o644);
    directory.file("empty.json", "{ apps: [] }", 0o644);
    directory.file("app.json", "{ apps: [{ name: 'web' }] }", 0o644);
    directory.file("notes.txt", "", 0o644);
    for (args, part) in [
        (&[][..], "there is no ecosystem.config.js here"),
        (&["nowhere.js"], "there is no nowhere.js"),
        (&["broken.config.js"], "broken.config.js: Unexpected"),
        (&["missing.config.js"], "Cannot find module 'dotenv'"),
        (&["empty.json"], "empty.json has no apps"),
        (&["app.json"], "app web: it has no script"),
        (&["notes.txt"], "must end in"),
        (&["--json", "app.json"], "unexpected argument --json"),
    ] {
        let output = started(project, &directory.path(""), args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.starts_with("pidone-from-pm2: error: ") && said.contains(part),
            "{said}"
        );
        assert!(output.stdout.is_empty());
    }
}

/// pidone takes each printed line as it is: the app starts, is ready where that is known, and stops.
#[test]
fn the_command_lines_run() {
    let Some(all) = all("the command lines") else {
        return;
    };
    for app in all {
        if app.command().contains(" bun ")
            && !is_installed("the command line for Bun", "bun", "none")
        {
            continue;
        }
        app.runs(&project_of(&app.file));
    }
}

/// compose takes the services as they are, and the apps get the values of the file.
#[test]
fn the_compose_services_are_valid() {
    let Some(all) = all("the compose services") else {
        return;
    };
    if !is_installed("the compose services", "docker-compose", "docker-compose") {
        return;
    }
    let mut whole = "services:\n".to_owned();
    for app in all {
        let part = app.part("compose.yaml");
        assert_eq!(part[0], "services:");
        let name = part[1].trim_start();
        writeln!(whole, "  {}-{name}", app.file).unwrap();
        for line in &part[2..] {
            writeln!(whole, "{line}").unwrap();
        }
    }
    let directory = TempDir::new();
    let file = directory.file("compose.yaml", &whole, 0o644);
    let output = Command::new("timeout")
        .arg(patience().as_secs().to_string())
        .args(["docker-compose", "-f"])
        .arg(file)
        .arg("config")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}\n{whole}");
    let read = String::from_utf8(output.stdout).unwrap();
    for line in [
        "SECRET: it's $$5 \"quoted\"",
        "FLAGS: '{\"beta\":true}'",
        "URL: redis://cache/2?a=b&c=$$d",
        "stop_grace_period: 35s",
        "restart: \"no\"",
    ] {
        assert!(read.contains(line), "{line}: {read}");
    }
    for name in [
        "yaml-front:",
        "yaml-front-2:",
        "monorepo-monorepo-api:",
        "api-shop-api:",
    ] {
        assert!(read.contains(name), "{name}: {read}");
    }
}

/// Each has what an image needs, as JSON.
#[test]
fn the_dockerfile_lines_name_pidone_and_the_app() {
    let Some(all) = all("the Dockerfile lines") else {
        return;
    };
    for app in all {
        let lines = app.dockerfile();
        let last = &lines[lines.len() - 2..];
        assert!(
            last[0].starts_with("ENTRYPOINT [\"/pidone\", ") && last[0].ends_with(", \"--\"]"),
            "{lines:?}"
        );
        assert!(
            last[1].starts_with("CMD [\"") && last[1].ends_with("\"]"),
            "{lines:?}"
        );
        let workers = app.command().contains(" -i ");
        assert_eq!(
            lines.iter().any(|line| line.starts_with("HEALTHCHECK ")),
            workers,
            "{lines:?}"
        );
    }
    let list = app("list", "list").unwrap();
    assert!(list.dockerfile().contains(&"USER node:node".to_owned()));
    let queue = app("monorepo", "queue").unwrap();
    assert!(
        queue
            .dockerfile()
            .contains(&"WORKDIR /app/apps/queue".to_owned())
    );
}
