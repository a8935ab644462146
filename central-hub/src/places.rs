//! Where cameras are: what may be said of a place, and lists of places as CSV. Which cameras are neighbours for it is
//! hub-core's.

mod csv;

use hub_core::correlate::{Camera, Position};
use protocol::{AgentId, CameraId, SiteId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Longest name, in characters.
const NAME_CHARS: usize = 100;
/// Most neighbours by name.
const NEIGHBOURS: usize = 64;
/// Farthest from the plan's origin, in metres.
const PLAN_M: f64 = 1_000_000.0;

/// The place of one camera.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "CameraPlace")]
pub struct Place {
    pub site: SiteId,
    pub agent: AgentId,
    pub camera: CameraId,
    #[serde(flatten)]
    pub said: Said,
}

/// What is said of a place. Either metres on the site's plan, or degrees (WGS 84), or neither.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "PlaceSaid")]
pub struct Said {
    pub name: Option<String>,
    pub x: Option<f64>,
    pub y: Option<f64>,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    /// Degrees clockwise from north, on a plan from its y axis.
    pub heading: Option<f64>,
    /// Width of its view, in degrees.
    pub field_of_view: Option<f64>,
    /// Alerts here are one step worse in the site's sensitive hours.
    pub sensitive: bool,
    /// Neighbours by name, besides those within the site's reach.
    #[schemars(with = "Vec<String>")]
    pub neighbours: Vec<Neighbour>,
}

/// `agent/camera`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Neighbour {
    pub agent: AgentId,
    pub camera: CameraId,
}

/// What is wrong with a place.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlaceError {
    #[error("x and y belong together, and so do lat and lon; a place has one pair at most")]
    Pairs,
    #[error("{what} = {value} is out of range: {range}")]
    Range { what: &'static str, value: f64, range: &'static str },
    #[error("the name is longer than {NAME_CHARS} characters or holds control characters")]
    Name,
    #[error("more than {NEIGHBOURS} neighbours")]
    Neighbours,
    #[error("a camera is no neighbour of itself")]
    Itself,
}

/// What is wrong with a list of places, and where.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct ListError {
    pub line: usize,
    pub why: String,
}

impl Place {
    pub fn check(&self) -> Result<(), PlaceError> {
        let Said { name, x, y, lat, lon, heading, field_of_view, neighbours, .. } = &self.said;
        if x.is_some() != y.is_some() || lat.is_some() != lon.is_some() || (x.is_some() && lat.is_some()) {
            return Err(PlaceError::Pairs);
        }
        let within = [
            ("x", x, -PLAN_M, PLAN_M, "metres, -1000000 to 1000000"),
            ("y", y, -PLAN_M, PLAN_M, "metres, -1000000 to 1000000"),
            ("lat", lat, -90.0, 90.0, "-90 to 90"),
            ("lon", lon, -180.0, 180.0, "-180 to 180"),
            ("heading", heading, 0.0, 360.0, "0 to 360"),
            ("field_of_view", field_of_view, 0.0, 360.0, "0 to 360"),
        ];
        for (what, value, least, most, range) in within {
            if let Some(value) = value.filter(|v| !(least..=most).contains(v)) {
                return Err(PlaceError::Range { what, value, range });
            }
        }
        let long = |n: &String| n.chars().count() > NAME_CHARS || n.chars().any(char::is_control);
        if name.as_ref().is_some_and(long) {
            return Err(PlaceError::Name);
        }
        if neighbours.len() > NEIGHBOURS {
            return Err(PlaceError::Neighbours);
        }
        if neighbours.iter().any(|n| n.agent == self.agent && n.camera == self.camera) {
            return Err(PlaceError::Itself);
        }
        Ok(())
    }

    pub fn key(&self) -> Camera {
        camera(&self.agent, &self.camera)
    }

    pub fn position(&self) -> Option<Position> {
        let Said { x, y, lat, lon, .. } = self.said;
        let plan = x.zip(y).map(|(x, y)| Position::Plan { x, y });
        plan.or(lat.zip(lon).map(|(lat, lon)| Position::Earth { lat, lon }))
    }

    pub fn named(&self) -> impl Iterator<Item = (Camera, Camera)> {
        self.said.neighbours.iter().map(|n| (self.key(), camera(&n.agent, &n.camera)))
    }
}

fn camera(agent: &AgentId, camera: &CameraId) -> Camera {
    Camera { agent: agent.as_str().to_owned(), camera: camera.as_str().to_owned() }
}

impl TryFrom<String> for Neighbour {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(a, c)| Some((a.parse().ok()?, c.parse().ok()?)));
        let (agent, camera) =
            parts.ok_or_else(|| format!("`{text}` is no neighbour: write it like agent/camera"))?;
        Ok(Self { agent, camera })
    }
}

impl From<Neighbour> for String {
    fn from(n: Neighbour) -> String {
        format!("{}/{}", n.agent, n.camera)
    }
}

/// Reads a list: a header line, then a line a place. Columns in any order: `site`, `agent`, `camera`, and any of `name`,
/// `x`, `y`, `lat`, `lon`, `heading`, `field_of_view`, `sensitive` (yes, no), `neighbours` (`agent/camera`, apart by `;`).
pub fn read_list(text: &str) -> Result<Vec<Place>, ListError> {
    const COLUMNS: [&str; 12] = [
        "site",
        "agent",
        "camera",
        "name",
        "x",
        "y",
        "lat",
        "lon",
        "heading",
        "field_of_view",
        "sensitive",
        "neighbours",
    ];
    let fail = |line: usize| move |why: String| ListError { line, why };
    let mut rows =
        csv::read(text).map_err(|(line, why)| ListError { line, why: why.to_owned() })?.into_iter();
    let (_, head) = rows.next().ok_or_else(|| fail(1)("the file is empty".to_owned()))?;
    let head: Vec<String> = head.iter().map(|h| h.trim().to_ascii_lowercase()).collect();
    for (i, name) in head.iter().enumerate() {
        if !COLUMNS.contains(&name.as_str()) || head[..i].contains(name) {
            let why =
                format!("column `{name}` is unknown or there twice; columns are {}", COLUMNS.join(", "));
            return Err(fail(1)(why));
        }
    }
    let mut places: Vec<Place> = Vec::new();
    for (line, fields) in rows {
        if fields.len() != head.len() {
            let why = format!("{} fields, but the header has {}", fields.len(), head.len());
            return Err(fail(line)(why));
        }
        let field = |name: &str| {
            let at = head.iter().position(|h| h == name)?;
            Some(fields[at].trim()).filter(|f| !f.is_empty())
        };
        let place = read_place(field).map_err(fail(line))?;
        place.check().map_err(|e| fail(line)(e.to_string()))?;
        if places.iter().any(|p| p.site == place.site && p.key() == place.key()) {
            return Err(fail(line)(format!("camera {}/{} is there twice", place.agent, place.camera)));
        }
        places.push(place);
    }
    Ok(places)
}

fn read_place<'a>(field: impl Fn(&str) -> Option<&'a str>) -> Result<Place, String> {
    let needed = |name: &str| field(name).ok_or_else(|| format!("`{name}` is missing"));
    let number = |name: &str| {
        let read = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
        let wrong = |text: &str| format!("{name} = `{text}` is no number");
        field(name).map(|text| read(text).ok_or_else(|| wrong(text))).transpose()
    };
    let sensitive = match field("sensitive").map(str::to_ascii_lowercase).as_deref() {
        None | Some("no" | "false" | "0" | "否") => false,
        Some("yes" | "true" | "1" | "是") => true,
        Some(other) => return Err(format!("sensitive = `{other}`: write yes or no")),
    };
    let neighbours = field("neighbours").unwrap_or_default().split(';').map(str::trim);
    Ok(Place {
        site: needed("site")?.parse().map_err(|e| format!("{e}"))?,
        agent: needed("agent")?.parse().map_err(|e| format!("{e}"))?,
        camera: needed("camera")?.parse().map_err(|e| format!("{e}"))?,
        said: Said {
            name: field("name").map(str::to_owned),
            x: number("x")?,
            y: number("y")?,
            lat: number("lat")?,
            lon: number("lon")?,
            heading: number("heading")?,
            field_of_view: number("field_of_view")?,
            sensitive,
            neighbours: neighbours
                .filter(|n| !n.is_empty())
                .map(|n| n.to_owned().try_into())
                .collect::<Result<_, _>>()?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_as_spreadsheets_write_it() {
        let text = "\u{feff}Site,agent,camera,name,x,y,sensitive,neighbours\r\n\
            market,gate,east,\"东门, 外侧\",0,0,是,gate/west; yard/c1\r\n\
            market,gate,west,,12.5,-3,,\r\n";
        let places = read_list(text).unwrap();
        assert_eq!(places.len(), 2);
        assert_eq!(places[0].said.name.as_deref(), Some("东门, 外侧"));
        assert!(places[0].said.sensitive && !places[1].said.sensitive);
        assert_eq!(places[0].named().count(), 2);
        assert_eq!(places[1].position(), Some(Position::Plan { x: 12.5, y: -3.0 }));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let head = "site,agent,camera,x,y,lat,lon,heading,sensitive,neighbours,name\n";
        for (row, word) in [
            ("market,gate,c1,1,,,,,,,", "line 2: x and y belong together"),
            ("market,gate,c1,1,1,1,1,,,,", "one pair at most"),
            ("market,gate,c1,,,91,0,,,,", "lat = 91"),
            ("market,gate,c1,NaN,1,,,,,,", "no number"),
            ("market,gate,c1,,,,,,maybe,,", "yes or no"),
            ("market,gate,c1,,,,,,,c2,", "agent/camera"),
            ("market,gate,c1,,,,,,,gate/c1,", "no neighbour of itself"),
            ("market,,c1,,,,,,,,", "`agent` is missing"),
            ("../x,gate,c1,,,,,,,,", "site id"),
            ("market,gate,c1,,,,,,,", "10 fields"),
            ("market,gate,c1,,,,,,,,\nmarket,gate,c1,,,,,,,,", "line 3: camera gate/c1 is there twice"),
            ("market,gate,\"c1,,,,,,,,", "quote"),
        ] {
            let error = read_list(&format!("{head}{row}\n")).unwrap_err().to_string();
            assert!(error.contains(word), "{row}: {error}");
        }
        assert!(read_list("site,agent,camera,colour\n").unwrap_err().to_string().contains("colour"));
        assert!(read_list("").is_err());
    }
}
