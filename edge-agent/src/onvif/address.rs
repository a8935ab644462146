//! Addresses in a camera's answers. Pure. A camera behind NAT, or one that means harm, names other
//! hosts than the one we reached: those are never followed.

use crate::wording::Text;

/// The host of `scheme://[user[:password]@]host[:port]/...`, lower case; IPv6 keeps its brackets.
pub fn host_of(url: &str) -> Option<String> {
    let host = split_port(authority(url)?.rsplit('@').next()?).0;
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// The port of an address, where it names one.
pub fn port_of(url: &str) -> Option<u16> {
    split_port(authority(url)?.rsplit('@').next()?).1?.parse().ok()
}

/// User and password, where an address holds them (their %-escapes undone), and the address without.
pub fn without_credentials(url: &str) -> (String, Option<(String, String)>) {
    let Some((credentials, _)) = authority(url).and_then(|a| a.rsplit_once('@')) else {
        return (url.to_owned(), None);
    };
    let bare = url.replacen(&format!("{credentials}@"), "", 1);
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    (bare, Some((unescape(user), unescape(password))))
}

/// The same address at the host that was reached, and a note if that is another than it named. A port of
/// a foreign host is the camera's own inside of its network and may be wrong: RTSP keeps it, because
/// there is nothing better; a service gets the port that was reached.
pub fn at_reached(url: &str, host: &str, port: Option<u16>) -> (String, Option<Text>) {
    let (bare, _) = without_credentials(url);
    let named = host_of(&bare).unwrap_or_default();
    let Some(old) = authority(&bare).map(str::to_owned) else { return (bare, None) };
    if named == host.to_ascii_lowercase() {
        return (bare, None);
    }
    let port = match port {
        Some(port) => format!(":{port}"),
        None => split_port(&old).1.map(|p| format!(":{p}")).unwrap_or_default(),
    };
    let moved = bare.replacen(&old, &format!("{host}{port}"), 1);
    let named = crate::wording::plain(&named, 60);
    let note = Text::new(
        format!("摄像机给出的地址是 {named}，已改用实际连上的 {host}"),
        format!("the camera names the host {named}; {host}, where it was reached, is used instead"),
    );
    (moved, Some(note))
}

/// Undoes %-escapes; what is no UTF-8 afterwards is shown as such.
pub fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |n: usize| bytes.get(n).and_then(|b| char::from(*b).to_digit(16));
        match (bytes[at], hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn authority(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    rest.split(['/', '?', '#']).next()
}

fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_found_whatever_is_around_them() {
        for (url, host, port) in [
            ("rtsp://192.0.2.7/live", "192.0.2.7", None),
            ("http://CAM.local:8080/onvif", "cam.local", Some(8080)),
            ("rtsp://u:p@192.0.2.7:554/a@b", "192.0.2.7", Some(554)),
            ("http://[fd00::5]:80/x", "[fd00::5]", Some(80)),
            ("http://192.0.2.7@evil.example/x", "evil.example", None),
            ("rtsp://192.0.2.7?x=//y", "192.0.2.7", None),
        ] {
            assert_eq!((host_of(url).as_deref(), port_of(url)), (Some(host), port), "{url}");
        }
        assert_eq!(host_of("192.0.2.7"), None);
        assert_eq!(host_of("http:///x"), None);
    }

    #[test]
    fn credentials_are_taken_out_whole() {
        let (bare, taken) = without_credentials("rtsp://ad%6Din:p%40ss:w@192.0.2.7:554/s?a=b@c");
        assert_eq!(bare, "rtsp://192.0.2.7:554/s?a=b@c");
        assert_eq!(taken, Some(("admin".to_owned(), "p@ss:w".to_owned())));
        let (bare, taken) = without_credentials("rtsp://admin:p@ss@192.0.2.7/s");
        assert_eq!((bare.as_str(), taken.unwrap().1.as_str()), ("rtsp://192.0.2.7/s", "p@ss"));
        assert_eq!(without_credentials("rtsp://192.0.2.7/s").1, None);
    }

    #[test]
    fn a_foreign_host_is_replaced_by_the_one_that_was_reached() {
        let moved = |url, port| at_reached(url, "192.0.2.7", port).0;
        assert_eq!(moved("rtsp://127.0.0.1:8554/main", None), "rtsp://192.0.2.7:8554/main");
        assert_eq!(moved("rtsp://u:p@10.1.1.1/main", None), "rtsp://192.0.2.7/main");
        assert_eq!(moved("http://10.1.1.1:8899/media", Some(80)), "http://192.0.2.7:80/media");
        assert!(at_reached("rtsp://127.0.0.1/a", "192.0.2.7", None).1.is_some());
        assert_eq!(
            at_reached("http://192.0.2.7:8899/m", "192.0.2.7", Some(80)),
            ("http://192.0.2.7:8899/m".into(), None)
        );
    }
}
