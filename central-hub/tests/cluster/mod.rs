//! A throw-away PostgreSQL for one test program: made when it is first asked for, gone when the program is,
//! however that ends.
//!
//! It listens on a Unix socket in its own folder and syncs to disk as a real one does. PostgreSQL refuses to run
//! as root, so root starts it as another user.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The server with its keeper: when the keeper's input ends (we are gone, in whatever way), it stops the server
/// and removes the folder.
const KEEPER: &str = r#"
    "$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=on -c max_connections=200 >"$2/log" 2>&1 &
    server=$!
    read -r _
    kill -QUIT $server; wait $server; rm -rf "$2"
"#;
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    _keeper: (Child, ChildStdin),
}

/// This program's cluster.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("signalbox-postgres-").tempdir().unwrap().keep();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let user = user();
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let run = |program: &Path| {
            let mut command = Command::new(program);
            if let Some((uid, gid)) = user {
                command.uid(uid).gid(gid);
            }
            command.current_dir(&folder);
            command
        };
        let made = run(&programs.join("initdb"))
            .args([
                "--pgdata",
                "data",
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "--no-instructions",
            ])
            .args(["--encoding=UTF8", "--locale=C"])
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let mut keeper = run(Path::new("/bin/sh"))
            .args(["-c", KEEPER, "keeper"])
            .args([&programs, &folder])
            // Ctrl-C is for us; the keeper sees that we are gone.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = keeper.stdin.take().unwrap();
        let cluster = Self { programs, folder, _keeper: (keeper, input) };
        let begun = Instant::now();
        while !cluster.sql("postgres", "SELECT 1").status.success() {
            let log = std::fs::read_to_string(cluster.folder.join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "PostgreSQL did not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        cluster
    }

    /// An empty database, as the guide says to make one; its address for `[store] url`.
    pub fn database(&self) -> String {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let name = format!("hub{}", LAST.fetch_add(1, Ordering::Relaxed));
        let made = self.sql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        self.url(&name)
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@localhost/{database}?host={}", self.folder.display())
    }

    /// What `psql` does with a statement.
    pub fn sql(&self, database: &str, statement: &str) -> std::process::Output {
        Command::new(self.programs.join("psql"))
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--username=postgres"])
            .arg("--host")
            .arg(&self.folder)
            .args(["--dbname", database, "--command", statement])
            .output()
            .unwrap()
    }
}

/// Where Debian keeps what is not for everybody's PATH.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> =
        versions.map(|v| v.path().join("bin")).filter(|b| b.join("postgres").exists()).collect();
    found.sort();
    found.pop().expect("run `make test` (or setup/setup.sh --test) once for PostgreSQL")
}

/// As whom to run it: as ourselves where we are not root.
fn user() -> Option<(u32, u32)> {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].iter().find_map(|name| {
        let mut fields =
            users.lines().map(|line| line.split(':')).find(|f| f.clone().next() == Some(name))?;
        Some((fields.nth(2)?.parse().ok()?, fields.next()?.parse().ok()?))
    })
}
