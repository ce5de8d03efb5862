//! `docker/Dockerfile` and the examples as their readers would use them.

use std::fs;
use std::path::PathBuf;

use crate::docker::{Container, build, client, docker, images, root, run, text};
use crate::harness::markdown::Page;
use crate::harness::{alone, skipped};

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_dockerfile_makes_an_image_that_holds_just_pidone() {
    let test = "the_dockerfile_makes_an_image_that_holds_just_pidone";
    let dockerfile = fs::read_to_string(root().join("docker/Dockerfile")).unwrap();
    let base = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("FROM ")?.strip_suffix(" AS build"))
        .unwrap();
    let mut inspect = client(600);
    if !inspect
        .args(["image", "inspect", base])
        .output()
        .unwrap()
        .status
        .success()
    {
        skipped(
            test,
            &format!("no image {base} here, which .ci/images makes"),
        );
        return;
    }
    let _alone = alone();
    let tag = "pidone-test/dockerfile";
    let mut command = client(600);
    command.args([
        "build",
        "--network=host",
        "-t",
        tag,
        "-f",
        "docker/Dockerfile",
        ".",
    ]);
    let output = command.current_dir(root()).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );

    let version = concat!("pidone ", env!("CARGO_PKG_VERSION"), "\n");
    let (status, stdout, _) = run(&[], tag, &["--version"]);
    assert_eq!((status, stdout.as_str()), (0, version));
    assert_eq!(
        docker(&["image", "inspect", "-f", "{{len .RootFS.Layers}}", tag]),
        "1"
    );

    let label = |name: &str| {
        let format = format!("{{{{index .Config.Labels \"org.opencontainers.image.{name}\"}}}}");
        docker(&["image", "inspect", "-f", &format, tag])
    };
    assert_eq!(label("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(label("source"), env!("CARGO_PKG_REPOSITORY"));
    // As small as what is measured.
    let size = docker(&["image", "inspect", "-f", "{{.Size}}", tag]);
    assert!(size.parse::<u64>().unwrap() <= 600 * 1024, "{size}");

    // As docs/containers.md says to use it.
    let lines = format!(
        "FROM pidone-test/node\nCOPY --from={tag} /pidone /pidone\nENTRYPOINT [\"/pidone\", \"--\"]\n"
    );
    let node = build("from-dockerfile", &lines, &[]);
    let (status, stdout, stderr) = run(
        &[],
        &node,
        &[
            "node",
            "-e",
            "console.log(process.ppid, process.pid !== 1); process.exit(4)",
        ],
    );
    assert_eq!(
        (status, stdout.as_str(), stderr.as_str()),
        (4, "1 true\n", "")
    );
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn from_scratch_with_nothing_but_pidone() {
    let version = concat!("pidone ", env!("CARGO_PKG_VERSION"), "\n");
    let alone = &images().alone;
    let (status, stdout, stderr) = run(&[], alone, &["--", "/pidone", "--version"]);
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, version, ""));
    let (status, _, stderr) = run(&[], alone, &["node"]);
    assert_eq!(status, 127);
    assert!(
        stderr.contains("\"node\"") && stderr.contains("PATH"),
        "{stderr}"
    );
}

/// The directory of an example whose files want an image that is called `pidone`.
pub fn example(name: &str) -> PathBuf {
    docker(&["tag", &images().alone, "pidone"]);
    root().join("examples").join(name)
}

#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_plain_http_example() {
    let directory = example("http");
    let image = "pidone-test/http-example";
    docker(&["build", "-q", "-t", image, directory.to_str().unwrap()]);
    let options = ["--network=none", "-e", "PORT=0"];
    let app = Container::start(&options, image, &[]);
    let port = app.port("listening on port ");
    // From inside, as a health check would.
    let ask = format!(
        "fetch('http://127.0.0.1:{port}').then((r) => r.text()).then((t) => console.log(t))"
    );
    let answer = docker(&["exec", &app.id, "node", "-e", &ask]);
    assert!(answer.starts_with("hello from pid "), "{answer}");
    let user = docker(&["exec", &app.id, "node", "-p", "process.getuid()"]);
    assert_eq!(user, "1000");
    assert_eq!(app.stop("3600"), 143);
}

/// As distroless Node.js images are: node is elsewhere, and there is no PATH to find it in.
#[test]
#[ignore = "needs a Docker engine: .ci/docker-engine, .ci/images"]
fn the_distroless_lines_of_the_manual() {
    example("http");
    let page = Page::read("docs/containers.md");
    let mut blocks = page.blocks_in("dockerfile");
    let lines = blocks.find(|lines| lines.contains("/nodejs/")).unwrap();
    let dockerfile = format!(
        "FROM scratch\nCOPY --from=pidone-test/node / /\n\
         COPY --from=pidone-test/node /usr/bin/node /nodejs/bin/node\nENV PORT=0\nCOPY server.js /\n{lines}"
    );
    let server = root().join("examples/http/server.js");
    let image = build("distroless", &dockerfile, &[("server.js", &server)]);
    let app = Container::start(&[], &image, &[]);
    app.port("listening on port ");
    assert_eq!(app.stop("3600"), 143);
}
