//! Every reason that an error of the service has, as [`Error::reason`](crate::Error::reason) says it. There may be newer ones.

macro_rules! reasons {
    ($($name:ident: $about:literal,)*) => {
        $(#[doc = $about]
        pub const $name: &str = stringify!($name);)*

        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

reasons! {
    PLUGIN_NOT_FOUND: "There is no such plugin.",
    ACTION_NOT_FOUND: "The plugin has no such action.",
    PARAMS_INVALID: "The params do not satisfy the action's schema.",
    REQUEST_INVALID: "The request, or a setting of the client, is invalid.",
    PLUGIN_INVALID: "The plugin cannot be loaded.",
    PLUGIN_CHANGED: "The plugin has changed since the job was submitted.",
    ACTION_FAILED: "The action raised an exception.",
    WORKER_LOST: "The process that ran the action ended without a word.",
    RESULT_INVALID: "The action's return value cannot be carried.",
    PATH_FORBIDDEN: "The reference leads out of the plugin roots.",
    MODULE_FORBIDDEN: "The module may not be run.",
    OVERLOADED: "The service has as much to do as it takes on.",
    ENGINE_UNAVAILABLE: "What carries the run is not there. Nothing has started.",
    STORAGE_UNAVAILABLE: "The service's disk takes no new work. Nothing has started.",
    RUN_NOT_FOUND: "There is no such run.",
    JOB_NOT_FOUND: "There is no such job.",
    JOB_ID_CONFLICT: "Another job has this id.",
    JOB_NOT_FINISHED: "The job has not ended.",
    EVENTS_EXPIRED: "The events are no longer kept.",
    DATA_LOSS: "The service's data has lost something of the job.",
    UNAUTHENTICATED: "The token is missing or wrong.",
    FORBIDDEN: "The caller may not do that.",
    DEADLINE: "The time was up.",
    CANCELLED: "The run or the job was cancelled.",
    INTERNAL: "The service or this client has a fault.",
    UNAVAILABLE: "No service answered.",
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{ALL, UNAVAILABLE};

    #[test]
    fn they_are_those_of_the_documentation() {
        let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md")).unwrap();
        let table = page.lines().filter_map(|line| line.strip_prefix("| `"));
        let rows = table.map(|line| line.split(" |").next().unwrap()).filter(|cell| !cell.contains("Error"));
        let mut documented: Vec<_> =
            rows.flat_map(|cell| cell.split(", ")).map(|word| word.trim_matches('`')).collect();
        documented.push(UNAVAILABLE);
        assert_eq!(ALL, documented);
    }
}
