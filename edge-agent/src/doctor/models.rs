//! Every model that the configuration uses, through all checks that stand before its use.

use std::collections::BTreeMap;

use super::{Check, Patient, Subject, words};
use crate::hardware::Profile;
use crate::model::{Engine, EngineConfig, Model, Store};
use crate::pipeline::Pipeline;
use crate::wording::Text;

pub(super) const SUBJECT: Subject = Subject("models", "模型", "Models");
const PIPELINE: Subject = Subject("pipeline", "处理流程", "Pipeline");
const PROVIDER: Subject = Subject("inference", "推理后端", "Inference provider");

pub(super) fn checks(patient: &Patient) -> Vec<Check> {
    let config = &patient.config;
    let (mut checks, names) = pipelines(patient);
    let profile = config.agent.hardware.as_deref().map_or_else(Profile::builtin, Profile::load);
    if let Ok(profile) = profile {
        checks.push(provider(&profile.inference.provider));
    }
    let store = Store::locate(config.models.folder.clone(), None);
    let cure = words::reinstall();
    let engine = match Engine::start(EngineConfig::new(&store, 1)) {
        Ok(engine) => engine,
        Err(error) => {
            checks.push(SUBJECT.broken(words::model(&error), cure));
            return checks;
        }
    };
    for name in names {
        checks.push(match store.card(&name).and_then(|card| Model::open(&engine, &card)) {
            Ok(_) => SUBJECT.ok(format!("{name} 通过了全部校验"), format!("{name} passed every check")),
            Err(error) => SUBJECT.broken(words::model(&error), cure.clone()),
        });
    }
    checks
}

/// The cards that are used, each once; each broken pipeline is told once.
fn pipelines(patient: &Patient) -> (Vec<Check>, Vec<String>) {
    let config = &patient.config;
    let mut names = vec![config.models.faces.clone()];
    let mut seen = BTreeMap::new();
    for camera in &config.cameras {
        let path = config.pipeline_of(camera);
        seen.entry(path.to_owned()).or_insert_with(|| Pipeline::load(path));
    }
    let mut checks = Vec::new();
    for loaded in seen.into_values() {
        match loaded {
            Ok(pipeline) => names.push(pipeline.detector().card.clone()),
            Err(error) => {
                let (reason, cure) = super::settings::of_pipeline(&error);
                checks.push(PIPELINE.broken(reason, cure));
            }
        }
    }
    names.sort();
    names.dedup();
    (checks, names)
}

/// What this build runs models on.
fn provider(wanted: &str) -> Check {
    if wanted == "cpu" {
        return PROVIDER.ok("使用处理器（cpu）", "the processor (cpu)");
    }
    PROVIDER.warning(
        Text::new(
            format!("硬件配置要求 {wanted}，但本版本只用处理器推理"),
            format!("the hardware profile asks for {wanted}; this version runs models on the processor only"),
        ),
        Text::new(
            "在硬件配置的 [inference] 中写 provider = \"cpu\"，或减少摄像机",
            "write provider = \"cpu\" under [inference] in the hardware profile, or use fewer cameras",
        ),
    )
}
