//! Metrics that every server has, and the form that Prometheus reads.

/// The machine that the server runs on, under Mesos' names.
#[must_use]
pub fn machine() -> Vec<(String, f64)> {
    let mut metrics = Vec::new();
    let mut add = |name: &str, value: f64| metrics.push((format!("system/{name}"), value));
    if let Ok(cpus) = std::thread::available_parallelism() {
        add("cpus_total", cpus.get() as f64);
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let loads = load.split(' ').map_while(|part| part.parse().ok());
    for (name, value) in ["load_1min", "load_5min", "load_15min"]
        .into_iter()
        .zip(loads)
    {
        add(name, value);
    }
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    for (key, name) in [
        ("MemTotal:", "mem_total_bytes"),
        ("MemFree:", "mem_free_bytes"),
    ] {
        let line = memory.lines().find_map(|line| line.strip_prefix(key));
        let kilobytes: Option<f64> =
            line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        if let Some(kilobytes) = kilobytes {
            add(name, kilobytes * 1024.0);
        }
    }
    metrics
}

/// Metrics for Prometheus, whose names have no slashes. Of those that count up the name, with its
/// slashes gone, says so.
pub fn prometheus(metrics: &[(String, f64)], counts: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for (name, value) in metrics {
        let letter = |letter: char| match letter.is_ascii_alphanumeric() {
            true => letter,
            false => '_',
        };
        let name: String = name.chars().map(letter).collect();
        let kind = if counts(&name) { "counter" } else { "gauge" };
        text += &format!("# TYPE tepui_{name} {kind}\ntepui_{name} {value}\n");
    }
    text
}
