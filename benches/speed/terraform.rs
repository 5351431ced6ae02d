//! Terraform on as many `terraform_data` in as many layers, which ask nobody: what a plan that has nothing to do costs
//! it, and a first apply. Nothing where no `terraform` binary is found.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;

use super::cost::Cost;
use super::layers;

/// A plan of so many that are as wanted. The state is written here, as an apply would have left it: to make it by an
/// apply of 10,000 takes an hour.
pub(crate) fn plan_without_changes(size: usize) -> anyhow::Result<Option<Cost>> {
    let Some(folder) = folder(size)? else { return Ok(None) };
    std::fs::write(folder.path().join("terraform.tfstate"), state(size)?)?;
    // A plan that finds something to do ends with 2, which is no good end.
    Cost::of(terraform(folder.path()).args(["plan", "-input=false", "-detailed-exitcode"])).map(Some)
}

/// An apply of so many that are not there yet.
pub(crate) fn first_apply(size: usize) -> anyhow::Result<Option<Cost>> {
    let Some(folder) = folder(size)? else { return Ok(None) };
    Cost::of(terraform(folder.path()).args(["apply", "-input=false", "-auto-approve"])).map(Some)
}

fn terraform(folder: &Path) -> Command {
    let mut command = Command::new("terraform");
    command.current_dir(folder).env("CHECKPOINT_DISABLE", "1");
    command
}

/// A folder with the configuration, ready to be planned.
fn folder(size: usize) -> anyhow::Result<Option<TempDir>> {
    if Command::new("terraform").arg("version").output().is_err() {
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    let mut text = String::new();
    for (number, needs) in layers::needs(size).into_iter().enumerate() {
        let _ = writeln!(text, "resource \"terraform_data\" \"s{number}\" {{\n  input = {number}");
        let needs: Vec<String> = needs.iter().map(|need| format!("terraform_data.s{need}")).collect();
        let _ = writeln!(text, "  depends_on = [{}]\n}}", needs.join(", "));
    }
    std::fs::write(folder.path().join("main.tf"), text)?;
    let begun = terraform(folder.path()).args(["init", "-input=false"]).output()?;
    ensure!(begun.status.success(), "terraform init failed: {}", String::from_utf8_lossy(&begun.stderr));
    Ok(Some(folder))
}

fn state(size: usize) -> anyhow::Result<String> {
    // Terraform records all that one depends on, not only the nearest.
    let mut all_needs: Vec<BTreeSet<usize>> = Vec::with_capacity(size);
    for needs in layers::needs(size) {
        let further = needs.iter().flat_map(|need| all_needs[*need].iter().copied());
        all_needs.push(further.chain(needs.iter().copied()).collect());
    }
    let resources: Vec<serde_json::Value> = all_needs
        .into_iter()
        .enumerate()
        .map(|(number, needs)| {
            let dependencies: Vec<String> =
                needs.iter().map(|need| format!("terraform_data.s{need}")).collect();
            serde_json::json!({
                "mode": "managed",
                "type": "terraform_data",
                "name": format!("s{number}"),
                "provider": "provider[\"terraform.io/builtin/terraform\"]",
                "instances": [{
                    "schema_version": 0,
                    "attributes": {
                        "id": format!("00000000-0000-4000-8000-{number:012}"),
                        "input": { "value": number, "type": "number" },
                        "output": { "value": number, "type": "number" },
                        "triggers_replace": null,
                    },
                    "sensitive_attributes": [],
                    "dependencies": dependencies,
                }],
            })
        })
        .collect();
    Ok(serde_json::to_string(&serde_json::json!({
        "version": 4,
        "terraform_version": "1.0.0",
        "serial": 1,
        "lineage": "00000000-0000-4000-8000-000000000000",
        "outputs": {},
        "resources": resources,
    }))?)
}
