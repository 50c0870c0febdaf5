//! Who has work in the queue, as far as this process knows. What such an organization starts has to stand behind what it has there already;
//! what others start need not.

use shared_db::ids::OrganizationId;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// The queue was looked at, and this process goes on doing what it finds there.
    is_open: bool,
    organizations: HashSet<OrganizationId>,
}

impl Backlog {
    /// Takes up an organization; false when it is known already.
    pub(super) fn add(&self, org: OrganizationId) -> bool {
        self.lock().organizations.insert(org)
    }

    /// Forgets an organization; false when it is not known.
    pub(super) fn remove(&self, org: OrganizationId) -> bool {
        self.lock().organizations.remove(&org)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().organizations.is_empty()
    }

    /// From now on what is not known here is not there.
    pub(super) fn open(&self) {
        self.lock().is_open = true;
    }

    /// From now on anybody may have work that is not known here.
    pub(super) fn close(&self) {
        self.lock().is_open = false;
    }

    /// Whether none of these has anything in the queue.
    pub(super) fn is_without(&self, orgs: impl IntoIterator<Item = OrganizationId>) -> bool {
        let known = self.lock();
        known.is_open && orgs.into_iter().all(|it| !known.organizations.contains(&it))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_known_to_have_nothing_before_the_queue_was_looked_at() {
        let (backlog, one) = (Backlog::default(), OrganizationId::generate());
        assert!(!backlog.is_without([one]));
        backlog.open();
        assert!(backlog.is_without([one]));
        backlog.close();
        assert!(!backlog.is_without([one]));
    }

    #[test]
    fn who_has_work_stands_behind_it_and_others_do_not() {
        let (backlog, one, two) =
            (Backlog::default(), OrganizationId::generate(), OrganizationId::generate());
        backlog.open();
        assert!(backlog.add(one) && !backlog.add(one));
        assert!(backlog.is_without([two]));
        assert!(!backlog.is_without([two, one]), "they share a statement");
        assert!(backlog.remove(one) && backlog.is_empty());
        assert!(backlog.is_without([two, one]));
    }
}
