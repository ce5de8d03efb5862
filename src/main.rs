//! Temporary front door.
#![no_main]
use pidone::config::*;
pidone::entry!(run);
fn run(args: Vec<std::ffi::OsString>) -> u8 {
    let signals = pidone::sys::signal::SignalQueue::open().unwrap();
    let mut args = args.into_iter().filter(|a| a != "--");
    let config = Config {
        command: Command {
            program: args.next().unwrap(),
            args: args.collect(),
        },
        signals: SignalRules::default(),
        grace: None,
        subreaper: false,
        parent_death: None,
        expected: vec![],
        user: None,
        warn_on_reap: false,
        logging: Logging {
            format: LogFormat::Text,
            filter: std::env::var("PIDONE_LOG").unwrap_or("info".into()),
        },
    };
    pidone::logging::init(&config.logging);
    match pidone::runtime::run(&config, signals) {
        Ok(status) => status,
        Err(error) => {
            log::error!("{error}");
            error.status()
        }
    }
}
