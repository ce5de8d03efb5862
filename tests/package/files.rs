//! The pm2 files of tests/package/pm2, each with scripts that its apps can start.

use std::fs;

use crate::harness::{TempDir, root};

/// The files, and the scripts that their apps start.
pub const FILES: &[(&str, &str, &[&str])] = &[
    ("api", "ecosystem.config.js", &["dist/main.js"]),
    ("zero", "ecosystem.config.js", &["build/server.js"]),
    (
        "module",
        "ecosystem.config.cjs",
        &["server.mjs", "preload.mjs"],
    ),
    ("esm", "ecosystem.config.mjs", &["app.mjs"]),
    ("json", "ecosystem.json", &["app.js"]),
    ("yaml", "process.yml", &["front.js", "back.js"]),
    (
        "npm",
        "ecosystem.config.js",
        &["node_modules/.bin/framework"],
    ),
    (
        "monorepo",
        "ecosystem.config.js",
        &[
            "apps/api/dist/index.js",
            "apps/queue/worker.js",
            "jobs/report.js",
            "tools/watch.py",
            "tools/loop.sh",
        ],
    ),
    (
        "next",
        "ecosystem.config.js",
        &["node_modules/next/dist/bin/next"],
    ),
    (
        "typescript",
        "ecosystem.config.js",
        &["src/index.ts", "node_modules/ts-node/register.js"],
    ),
    ("computed", "ecosystem.config.js", &["shard.js"]),
    ("list", "pm2.json", &["server.js"]),
    ("command", "ecosystem.config.js", &["server.js"]),
    ("bun", "ecosystem.config.js", &["server.ts"]),
    ("one", "ecosystem.config.json", &["bin/www"]),
];

/// Says that it runs, and on what port it should listen; serves on another one, as tests run side by side.
const SERVER: &str = "
console.log('up');
const server = require('http').createServer((request, response) => response.end());
server.listen(0, '127.0.0.1', () => process.send?.('ready'));
";
const MODULE: &str = "
import http from 'node:http';
console.log('up');
http.createServer((request, response) => response.end()).listen(0, '127.0.0.1', () => process.send?.('ready'));
";
const PYTHON: &str = "import time\nprint('up')\nwhile True: time.sleep(60)\n";
const SHELL: &str = "#!/bin/sh\necho up\nwhile true; do sleep 60; done\n";

fn script(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        _ if name.starts_with("preload") => "globalThis.preloaded = true;\n",
        Some(("node_modules/ts-node/register", _)) => {
            "require.extensions['.ts'] = require.extensions['.js'];\n"
        }
        Some((_, "mjs")) => MODULE,
        Some((_, "py")) => PYTHON,
        Some((_, "sh")) => SHELL,
        _ => SERVER,
    }
}

/// A project's directory with this file and the scripts of its apps.
pub fn project_of(name: &str) -> TempDir {
    let (_, _, scripts) = FILES.iter().find(|(known, ..)| *known == name).unwrap();
    let directory = TempDir::new();
    for entry in fs::read_dir(root().join("tests/package/pm2").join(name)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), directory.path("").join(entry.file_name())).unwrap();
    }
    add_scripts(&directory, scripts);
    directory
}

/// Scripts that run until they are stopped.
pub fn add_scripts(directory: &TempDir, paths: &[&str]) {
    for path in paths {
        fs::create_dir_all(directory.path(path).parent().unwrap()).unwrap();
        directory.file(path, script(path), 0o755);
    }
}
