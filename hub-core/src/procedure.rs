//! Operating procedures: checklists whose answers choose the next question.
//!
//! Owns what makes a procedure whole and where somebody is in it. Which kind has which one, and where the
//! answers are kept, is the shell's. Invariant: a checked procedure ends, whatever is answered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Most questions of a procedure.
pub const MOST_QUESTIONS: usize = 100;
/// Most answers of a question.
pub const MOST_ANSWERS: usize = 20;

/// A text in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wording {
    pub zh: String,
    pub en: String,
}

/// A checklist. It begins with its first question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    pub name: Wording,
    pub questions: Vec<Question>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    pub id: String,
    pub text: Wording,
    pub answers: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub id: String,
    pub text: Wording,
    /// The next question. Without one the procedure ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What is wrong with a procedure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it has {0} questions; 1 to {MOST_QUESTIONS} are possible")]
    Questions(usize),
    #[error("question `{0}` has {1} answers; 1 to {MOST_ANSWERS} are possible")]
    Answers(String, usize),
    #[error("a text is empty: {0} (both zh and en are needed)")]
    NoText(String),
    #[error("there are two questions `{0}`")]
    TwoQuestions(String),
    #[error("question `{0}` has two answers `{1}`")]
    TwoAnswers(String, String),
    #[error("question `{0}`, answer `{1}` goes on to `{2}`, which does not exist")]
    NoSuchQuestion(String, String, String),
    #[error("question `{0}` is never asked: no answer leads to it")]
    NeverAsked(String),
    #[error("question `{0}` can come a second time; a procedure must end")]
    Ring(String),
}

/// Where somebody is in a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course<'a> {
    /// What was asked and answered, in the order of asking.
    pub answered: Vec<(&'a Question, &'a Answer)>,
    /// What is asked now; `None`: the procedure is through.
    pub next: Option<&'a Question>,
}

impl Procedure {
    /// All that is wrong with it.
    pub fn flaws(&self) -> Vec<Flaw> {
        if self.questions.is_empty() || self.questions.len() > MOST_QUESTIONS {
            return vec![Flaw::Questions(self.questions.len())];
        }
        let mut flaws = Vec::new();
        let empty = |w: &Wording| w.zh.trim().is_empty() || w.en.trim().is_empty();
        if empty(&self.name) {
            flaws.push(Flaw::NoText("its name".to_owned()));
        }
        let mut ids = BTreeSet::new();
        for question in &self.questions {
            if !ids.insert(&question.id) {
                flaws.push(Flaw::TwoQuestions(question.id.clone()));
            }
            if empty(&question.text) {
                flaws.push(Flaw::NoText(format!("question `{}`", question.id)));
            }
            flaws.extend(self.flaws_of(question));
        }
        if flaws.is_empty() {
            flaws.extend(self.ring());
            flaws.extend(self.never_asked());
        }
        flaws
    }

    fn flaws_of(&self, question: &Question) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if question.answers.is_empty() || question.answers.len() > MOST_ANSWERS {
            flaws.push(Flaw::Answers(question.id.clone(), question.answers.len()));
        }
        let mut ids = BTreeSet::new();
        for Answer { id, text, next } in &question.answers {
            if !ids.insert(id) {
                flaws.push(Flaw::TwoAnswers(question.id.clone(), id.clone()));
            }
            if text.zh.trim().is_empty() || text.en.trim().is_empty() {
                flaws.push(Flaw::NoText(format!("question `{}`, answer `{id}`", question.id)));
            }
            if let Some(next) = next.as_ref().filter(|next| self.question(next).is_none()) {
                flaws.push(Flaw::NoSuchQuestion(question.id.clone(), id.clone(), next.clone()));
            }
        }
        flaws
    }

    /// A question that can come again. What leads nowhere further is crossed out until nothing is left, or a ring.
    fn ring(&self) -> Option<Flaw> {
        let mut left: BTreeSet<&str> = self.questions.iter().map(|q| q.id.as_str()).collect();
        loop {
            let ends = self.questions.iter().find(|q| {
                let goes_on = |a: &Answer| a.next.as_deref().is_some_and(|next| left.contains(next));
                left.contains(q.id.as_str()) && !q.answers.iter().any(goes_on)
            });
            match ends {
                Some(question) => left.remove(question.id.as_str()),
                None => return left.first().map(|id| Flaw::Ring((*id).to_owned())),
            };
        }
    }

    fn never_asked(&self) -> Vec<Flaw> {
        let mut asked = BTreeSet::from([self.questions[0].id.as_str()]);
        for _ in &self.questions {
            let of_asked = self.questions.iter().filter(|q| asked.contains(q.id.as_str()));
            let next: Vec<_> = of_asked.flat_map(|q| &q.answers).filter_map(|a| a.next.as_deref()).collect();
            asked.extend(next);
        }
        let never = self.questions.iter().filter(|q| !asked.contains(q.id.as_str()));
        never.map(|q| Flaw::NeverAsked(q.id.clone())).collect()
    }

    /// Where these answers (question -> answer) lead. Answers to what is not asked any more count for nothing.
    pub fn course(&self, answers: &BTreeMap<String, String>) -> Course<'_> {
        let mut answered = Vec::new();
        let mut next = self.questions.first();
        while let Some(question) = next
            && answered.len() < self.questions.len()
        {
            let chosen = answers.get(&question.id);
            let Some(answer) = question.answers.iter().find(|a| chosen == Some(&a.id)) else { break };
            answered.push((question, answer));
            next = answer.next.as_deref().and_then(|id| self.question(id));
        }
        Course { answered, next }
    }

    pub fn question(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|q| q.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Wording {
        Wording { zh: text.to_owned(), en: text.to_owned() }
    }

    /// `seen: yes > injured, no; injured: yes, no`
    fn procedure(words: &str) -> Procedure {
        let question = |words: &str| {
            let (id, answers) = words.split_once(':').unwrap();
            let answer = |words: &str| {
                let (id, next) = match words.split_once('>') {
                    Some((id, next)) => (id.trim(), Some(next.trim().to_owned())),
                    None => (words.trim(), None),
                };
                Answer { id: id.to_owned(), text: text(id), next }
            };
            let answers = answers.split(',').map(answer).collect();
            Question { id: id.trim().to_owned(), text: text(id), answers }
        };
        Procedure { name: text("fight"), questions: words.split(';').map(question).collect() }
    }

    #[test]
    fn answers_choose_the_next_question() {
        let fight = procedure("seen: yes > injured, no; injured: yes > police, no > police; police: called");
        assert_eq!(fight.flaws(), []);
        let course = |answers: &[(&str, &str)]| {
            let answers = answers.iter().map(|(q, a)| ((*q).to_owned(), (*a).to_owned())).collect();
            let course = fight.course(&answers);
            (course.answered.len(), course.next.map(|q| q.id.clone()))
        };
        assert_eq!(course(&[]), (0, Some("seen".into())));
        assert_eq!(course(&[("seen", "yes")]), (1, Some("injured".into())));
        assert_eq!(course(&[("seen", "no"), ("injured", "yes")]), (1, None), "the detour counts no more");
        assert_eq!(course(&[("seen", "perhaps")]), (0, Some("seen".into())));
        assert_eq!(course(&[("seen", "yes"), ("injured", "no"), ("police", "called")]), (3, None));
    }

    #[test]
    fn flaws_are_named() {
        let flaws = |words: &str| procedure(words).flaws().iter().map(Flaw::to_string).collect::<Vec<_>>();
        assert_eq!(flaws("a: x > b"), ["question `a`, answer `x` goes on to `b`, which does not exist"]);
        assert_eq!(
            flaws("a: x > b; b: y > a"),
            ["question `a` can come a second time; a procedure must end"]
        );
        assert_eq!(flaws("a: x; b: y"), ["question `b` is never asked: no answer leads to it"]);
        assert_eq!(flaws("a: x, x; a: y").len(), 2);
        let mut silent = procedure("a: x");
        silent.questions[0].answers[0].text.zh = " ".into();
        assert_eq!(silent.flaws(), [Flaw::NoText("question `a`, answer `x`".into())]);
        silent.questions.clear();
        assert_eq!(silent.flaws(), [Flaw::Questions(0)]);
        assert_eq!(silent.course(&BTreeMap::new()).next, None);
    }
}
