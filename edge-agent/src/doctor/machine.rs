//! Memory and heat, as the kernel tells them.

use std::path::Path;

use super::{Check, Subject};
use crate::wording::Text;

const MEMORY: Subject = Subject("memory", "内存", "Memory");
const TEMPERATURE: Subject = Subject("temperature", "温度", "Temperature");
const WARN_MIB: u64 = 256;
const BROKEN_MIB: u64 = 64;
/// Where a zone names no critical point.
const CRITICAL_MILLIDEGREES: i64 = 95_000;
/// So close to it, processors slow down.
const NEAR_MILLIDEGREES: i64 = 10_000;

pub(super) fn memory() -> Check {
    judge_memory(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default())
}

fn judge_memory(meminfo: &str) -> Check {
    let mib = |name: &str| {
        let line = meminfo.lines().find_map(|l| l.strip_prefix(name))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? >> 10)
    };
    let (Some(free), Some(total)) = (mib("MemAvailable:"), mib("MemTotal:")) else {
        return MEMORY.ok("系统没有提供内存数据", "the system gives no figures");
    };
    let reason = Text::new(format!("{total} MiB 中可用 {free} MiB"), format!("{free} of {total} MiB free"));
    let cure = Text::new(
        "减少摄像机，或停掉盒子上的其他程序",
        "use fewer cameras, or stop other programs on the box",
    );
    match free {
        free if free < BROKEN_MIB => MEMORY.broken(reason, cure),
        free if free < WARN_MIB => MEMORY.warning(reason, cure),
        _ => MEMORY.ok(reason.zh, reason.en),
    }
}

pub(super) fn temperature() -> Check {
    judge_heat(Path::new("/sys/class/thermal"), Path::new("/sys/devices/system/cpu"))
}

/// The hottest zone against its own critical point, and whether processors were slowed down.
fn judge_heat(zones: &Path, cpus: &Path) -> Check {
    let cure = Text::new(
        "清理散热口，改善通风，避免阳光直射",
        "clean the vents, give it air, keep it out of the sun",
    );
    let Some((degrees, critical)) = hottest(zones) else {
        return TEMPERATURE.ok("此盒子没有温度传感器", "this box has no sensor");
    };
    let reason = Text::new(
        format!("{} °C（上限 {} °C）", degrees / 1000, critical / 1000),
        format!("{} °C (limit {} °C)", degrees / 1000, critical / 1000),
    );
    if degrees >= critical {
        return TEMPERATURE.broken(reason, cure);
    }
    if degrees >= critical - NEAR_MILLIDEGREES {
        return TEMPERATURE.warning(reason, cure);
    }
    match throttled(cpus) {
        0 => TEMPERATURE.ok(reason.zh, reason.en),
        times => TEMPERATURE.warning(
            Text::new(
                format!("{}；开机以来因过热降速 {times} 次", reason.zh),
                format!("{}; slowed down by heat {times} times since it was switched on", reason.en),
            ),
            cure,
        ),
    }
}

/// Thousandths of a degree: the zone nearest to its critical point, and that point.
fn hottest(zones: &Path) -> Option<(i64, i64)> {
    let zones = std::fs::read_dir(zones).ok()?.flatten();
    zones
        .filter(|zone| zone.file_name().to_string_lossy().starts_with("thermal_zone"))
        .filter_map(|zone| {
            let degrees = number(&zone.path().join("temp")).filter(|t| (-40_000..200_000).contains(t))?;
            let critical = (0..16).find_map(|n| {
                let kind = std::fs::read_to_string(zone.path().join(format!("trip_point_{n}_type"))).ok()?;
                (kind.trim() == "critical")
                    .then(|| number(&zone.path().join(format!("trip_point_{n}_temp"))))?
            });
            Some((degrees, critical.filter(|c| *c > 40_000).unwrap_or(CRITICAL_MILLIDEGREES)))
        })
        .max_by_key(|(degrees, critical)| degrees - critical)
}

fn throttled(cpus: &Path) -> i64 {
    let cpus = std::fs::read_dir(cpus).into_iter().flatten().flatten();
    cpus.filter_map(|cpu| number(&cpu.path().join("thermal_throttle/core_throttle_count"))).max().unwrap_or(0)
}

fn number(path: &Path) -> Option<i64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn little_memory_is_told() {
        let state = |free: u64| {
            judge_memory(&format!("MemTotal: 4194304 kB\nMemAvailable:   {} kB\n", free << 10)).state
        };
        assert_eq!((state(2000), state(200), state(20)), (State::Ok, State::Warning, State::Broken));
        assert_eq!(judge_memory("").state, State::Ok);
    }

    #[test]
    fn heat_is_measured_against_the_zones_own_limit() {
        let folder = tempfile::tempdir().unwrap();
        let (zones, cpus) = (folder.path().join("thermal"), folder.path().join("cpu"));
        assert_eq!(judge_heat(&zones, &cpus).reason.en, "this box has no sensor");
        let zone = zones.join("thermal_zone0");
        std::fs::create_dir_all(&zone).unwrap();
        let write = |name: &str, text: &str| std::fs::write(zone.join(name), text).unwrap();
        write("temp", "71000\n");
        assert_eq!(judge_heat(&zones, &cpus).state, State::Ok);
        write("trip_point_1_type", "critical\n");
        write("trip_point_1_temp", "80000\n");
        assert_eq!(judge_heat(&zones, &cpus).state, State::Warning);
        write("temp", "80000\n");
        assert_eq!(judge_heat(&zones, &cpus).state, State::Broken);
        write("temp", "40000\n");
        let throttle = cpus.join("cpu0/thermal_throttle");
        std::fs::create_dir_all(&throttle).unwrap();
        std::fs::write(throttle.join("core_throttle_count"), "7\n").unwrap();
        let slowed = judge_heat(&zones, &cpus);
        assert!(slowed.state == State::Warning && slowed.reason.en.contains("7 times"), "{slowed:?}");
    }
}
