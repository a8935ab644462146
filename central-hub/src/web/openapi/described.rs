//! What is said of each route besides its path and who may come: a line each, with the shapes of what is sent and answered.

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::store::incidents::ListedIncident;
use crate::web::work::{mine, open, photos, steps, units, view};
use crate::web::{
    account, agents, alerts, audit, figures, incidents, login, places, search, session, sites, users,
};

pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// What is said of a route besides its path and who may come.
pub(super) struct Described {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
    /// The query's type: its fields are the parameters.
    pub(super) query: Option<Shape>,
    pub(super) body: Option<Shape>,
    pub(super) answer: Answer,
}

/// Routes that take an `Idempotency-Key`.
pub(super) const ONCE: &[&str] =
    &["/incidents", "/incidents/{site}/{incident}/steps", "/incidents/{site}/{incident}/attachments"];

/// What comes back when all is well.
pub(super) enum Answer {
    Json(Shape),
    /// Of this media type, by default JSON.
    Of(&'static [&'static str]),
    /// 201, JSON.
    Made(Shape),
    /// 204
    Nothing,
    /// Server-sent events, without end.
    Events,
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

pub(super) const JSON: Answer = Answer::Of(&["application/json"]);

macro_rules! described {
    ($($method:ident $path:literal $zh:literal $en:literal $(query $query:ty)? $(, body $body:ty)?; $answer:expr;)+) => {
        &[$(Described {
            method: stringify!($method),
            path: $path,
            zh: $zh,
            en: $en,
            query: described!(@ $($query)?),
            body: described!(@ $($body)?),
            answer: $answer,
        }),+]
    };
    (@) => { None };
    (@ $type:ty) => { Some(shape::<$type>) };
}

pub(super) const DESCRIBED: &[Described] = described! {
    GET "/health" "是否在运行" "Whether the hub is up"; JSON;
    GET "/openapi.json" "本文档" "This document"; JSON;
    POST "/session" "登录" "Log in", body login::Login; Answer::Json(shape::<session::Oneself>);
    GET "/session" "当前登录的人" "Who is logged in"; Answer::Json(shape::<session::Oneself>);
    DELETE "/session" "退出" "Log out"; Answer::Nothing;
    PUT "/session/reason" "说明查看的理由" "Say what looking is for", body session::Reason; Answer::Nothing;
    GET "/sessions" "自己的登录" "One's own sessions"; Answer::Json(shape::<session::Sessions>);
    DELETE "/sessions/{session}" "结束自己的一次登录" "End a session of one's own"; Answer::Nothing;
    PUT "/account/password" "修改自己的密码" "Change one's own password", body account::NewPassword; Answer::Nothing;
    POST "/account/second-factor" "开始设置第二因素" "Begin to set up a second factor"; Answer::Json(shape::<account::NewSecondFactor>);
    PUT "/account/second-factor" "确认第二因素" "Prove the second factor", body account::Code; Answer::Nothing;
    GET "/users" "用户列表" "Users"; Answer::Json(shape::<users::Users>);
    POST "/users" "新建用户" "Add a user", body users::NewUser; Answer::Made(shape::<users::Link>);
    GET "/users/{user}" "一个用户" "A user"; Answer::Json(shape::<users::UserView>);
    PATCH "/users/{user}" "修改用户" "Change a user", body users::Changes; Answer::Nothing;
    PUT "/users/{user}/grants" "设置用户的角色和站点" "Set a user's roles and sites", body users::NewGrants; Answer::Nothing;
    POST "/users/{user}/login-link" "生成一次性登录链接" "Make a link that logs in once"; Answer::Made(shape::<users::Link>);
    DELETE "/users/{user}/sessions" "结束用户的所有登录" "End a user's sessions"; Answer::Nothing;
    GET "/audit" "审计记录" "The audit"
        query audit::Question; Answer::Json(shape::<audit::Entries>);
    GET "/alerts" "告警列表" "Alerts"
        query alerts::Wanted; Answer::Json(shape::<alerts::Page>);
    GET "/alerts/{agent}/{epoch}/{seq}" "一条告警" "An alert"; Answer::Json(shape::<crate::store::alerts::AlertView>);
    GET "/alerts/{agent}/{epoch}/{seq}/still" "告警的图片" "An alert's still"; Answer::Of(&["image/jpeg"]);
    GET "/agents" "盒子与摄像机" "Agents and their cameras"; Answer::Json(shape::<agents::Agents>);
    GET "/feed" "实时变化" "What changes, live"; Answer::Events;
    GET "/incidents" "事件列表" "Incidents"
        query incidents::Wanted; Answer::Json(shape::<incidents::Page>);
    GET "/incidents/{site}/{incident}" "一起事件" "An incident"; Answer::Json(shape::<ListedIncident>);
    GET "/incidents/{site}/{incident}/alerts" "事件的告警" "An incident's alerts"
        query incidents::WantedAlerts; Answer::Json(shape::<incidents::AlertPage>);
    POST "/incidents/{site}/{incident}/split" "拆分事件" "Split an incident", body incidents::Split; Answer::Made(shape::<ListedIncident>);
    POST "/incidents/{site}/{incident}/merge" "合并事件" "Merge incidents", body incidents::Merge; Answer::Json(shape::<ListedIncident>);
    GET "/sites" "自己有权限的站点" "The sites where one holds anything"; Answer::Json(shape::<sites::Sites>);
    GET "/sites/{site}/places" "站点的摄像机位置" "Where a site's cameras are"; Answer::Json(shape::<places::Places>);
    PUT "/sites/{site}/places/{agent}/{camera}" "设置摄像机位置" "Say where a camera is", body crate::places::Said; Answer::Json(shape::<crate::places::Place>);
    DELETE "/sites/{site}/places/{agent}/{camera}" "删除摄像机位置" "Forget where a camera is"; Answer::Nothing;
    GET "/search" "按词、类型、地点、时间、状态查找事件" "Find incidents by words, kind, place, time, state"
        query search::Question; Answer::Json(shape::<search::Found>);
    GET "/export/incidents.csv" "导出事件（CSV）；记入审计" "Incidents as CSV; audited"
        query search::Question; Answer::Of(&["text/csv"]);
    GET "/incidents/{site}/{incident}/exchange" "与其他部门系统交换一起事件（JSON 或 CAP 1.2）；记入审计"
        "An incident for other departments' systems, as JSON or CAP 1.2; audited"
        query search::As; Answer::Of(&["application/json", "application/cap+xml"]);
    GET "/figures" "统计数字（JSON 或 CSV）" "Figures, as JSON or CSV"
        query figures::Wanted; Answer::Of(&["application/json", "text/csv"]);
    GET "/figures/uptime" "盒子和摄像机每日正常、中断、未知的时间（JSON 或 CSV）"
        "How long agents and cameras were up, down and unknown, by day, as JSON or CSV"
        query figures::uptime::Wanted; Answer::Of(&["application/json", "text/csv"]);
    POST "/incidents" "人工上报事件" "Open an incident by hand", body open::Asked; Answer::Made(shape::<view::WorkView>);
    POST "/incidents/steps" "对多起事件执行同一步骤" "Take one step in many incidents", body steps::Many; JSON;
    GET "/incidents/{site}/{incident}/steps" "事件的处置经过" "How an incident is being worked on"; Answer::Json(shape::<view::WorkView>);
    POST "/incidents/{site}/{incident}/steps" "执行一个处置步骤" "Take a step", body steps::Asked; Answer::Made(shape::<view::WorkView>);
    POST "/incidents/{site}/{incident}/attachments" "上传照片" "Add a photo"; Answer::Made(shape::<photos::Attached>);
    GET "/incidents/{site}/{incident}/attachments/{file}" "查看照片" "A photo"; Answer::Of(&["image/jpeg", "image/png"]);
    GET "/my-incidents" "派给自己的事件" "Incidents given to oneself"; Answer::Json(shape::<mine::Mine>);
    GET "/sites/{site}/incident-kinds" "可以人工上报的类型" "Kinds that can be opened by hand"; Answer::Json(shape::<open::Kinds>);
    GET "/sites/{site}/handover" "交接班单（JSON 或可打印页面）" "The handover sheet, as JSON or to print"; Answer::Of(&["application/json", "text/html"]);
    GET "/sites/{site}/units" "站点的队伍" "A site's units"; Answer::Json(shape::<units::Units>);
    PUT "/sites/{site}/units/{unit}" "设置队伍" "Say what a unit is", body units::Unit; Answer::Json(shape::<crate::store::units::UnitView>);
    DELETE "/sites/{site}/units/{unit}" "删除队伍" "Forget a unit"; Answer::Nothing;
    GET "/sites/{site}/areas" "站点的网格" "A site's grid areas"; Answer::Json(shape::<units::Areas>);
    PUT "/sites/{site}/areas/{area}" "划定网格" "Draw a grid area", body units::Area; Answer::Json(shape::<crate::store::units::AreaView>);
    DELETE "/sites/{site}/areas/{area}" "删除网格" "Forget a grid area"; Answer::Nothing;
};
