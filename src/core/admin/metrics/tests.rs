use super::*;
use crate::admin::status::tests::sample;

// tests/operate/metrics.rs checks the page with Prometheus' own parser.
#[test]
fn every_metric_is_on_the_page_once() {
    let page = text(&sample(), Format::OpenMetrics, None);
    for line in [
        "# TYPE pidone_build_info gauge",
        "pidone_build_info{version=\"0.1.0\"} 1",
        "pidone_ready 1",
        "pidone_reloading 0",
        "pidone_target_workers 4",
        "# UNIT pidone_process_start_time_seconds seconds",
        "pidone_process_start_time_seconds 1700000000.250",
        "pidone_process_cpu_seconds_total 0.040",
        "pidone_process_resident_memory_bytes 700000",
        "# UNIT pidone_container_cpu_limit_cores cores",
        "pidone_container_cpu_limit_cores 1.500",
        "pidone_container_cpu_seconds_total 90.000",
        "pidone_container_memory_bytes 209715200",
        "pidone_crash_loop 0",
        "# TYPE pidone_worker_boot_duration_seconds summary",
        "pidone_worker_boot_duration_seconds_count 5",
        "pidone_worker_boot_duration_seconds_sum 1.250",
        "pidone_worker_drain_duration_seconds_count 2",
        "pidone_worker_drain_duration_seconds_sum 60.007",
        "pidone_reloads_total{result=\"success\"} 2",
        "pidone_reloads_total{result=\"failure\"} 0",
        "pidone_last_reload_timestamp_seconds{result=\"success\"} 1700000100.000",
        "# TYPE pidone_relieved_connections counter",
        "pidone_relieved_connections_total 12",
        "pidone_worker_exits_total{code=\"1\"} 3",
        "pidone_worker_exits_total{signal=\"SIGKILL\"} 1",
        "pidone_worker_start_time_seconds{slot=\"0\",app_instance=\"0\"} 1700000001.000",
        "# TYPE pidone_restarts counter",
        "pidone_restarts_total{cause=\"exit\"} 3",
        "pidone_restarts_total{cause=\"memory\"} 1",
        "pidone_oom_kills_total 2",
        "pidone_worker_state{slot=\"0\",app_instance=\"0\",state=\"ready\"} 1",
        "pidone_worker_state{slot=\"0\",app_instance=\"0\",state=\"starting\"} 0",
        "pidone_worker_state{slot=\"spare\",app_instance=\"4\",state=\"starting\"} 1",
        "pidone_worker_restarts_total{slot=\"1\",app_instance=\"1\"} 3",
        "# UNIT pidone_worker_cpu_seconds seconds",
        "pidone_worker_cpu_seconds_total{slot=\"0\",app_instance=\"0\"} 12.050",
        "# UNIT pidone_worker_resident_memory_bytes bytes",
        "pidone_worker_resident_memory_bytes{slot=\"0\",app_instance=\"0\"} 48234496",
        "pidone_worker_event_loop_delay_seconds{slot=\"0\",app_instance=\"0\"} 0.000312",
        "pidone_worker_accept_queue{slot=\"1\",app_instance=\"1\"} 128",
        "# TYPE pidone_relayed_messages counter",
        "pidone_relayed_messages_total{slot=\"0\",app_instance=\"0\"} 7",
        "pidone_relay_dropped_messages_total{slot=\"0\",app_instance=\"0\"} 2",
    ] {
        let count = page.lines().filter(|known| *known == line).count();
        assert_eq!(count, 1, "{line} in\n{page}");
    }
    assert!(page.ends_with("\n# EOF\n"), "{page}");
    // A slot without a process has no metrics of a process.
    let empty = "{slot=\"2\",app_instance=\"2\"}";
    let lines: Vec<_> = page.lines().filter(|line| line.contains(empty)).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    // The samples of a metric follow its description directly.
    let mut described = Vec::new();
    let mut current = "";
    for line in page.lines().take_while(|line| *line != "# EOF") {
        if let Some(line) = line.strip_prefix("# TYPE ") {
            current = line.split(' ').next().unwrap();
            assert!(!described.contains(&current), "{current} twice");
            described.push(current);
        }
        assert!(line.contains(current), "{line} under {current}");
    }
    let older = text(&sample(), Format::Text, None);
    assert!(
        older.contains("# TYPE pidone_restarts_total counter\n"),
        "{older}"
    );
    assert!(
        !older.contains("# UNIT") && !older.contains("# EOF"),
        "{older}"
    );
    let samples = |page: &str| page.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&older), samples(&page));
    let nothing = text(&Status::default(), Format::OpenMetrics, None);
    for unknown in ["oom", "container", "max_memory"] {
        assert!(!nothing.contains(unknown), "{nothing}");
    }
}
