//! Which modules can be rewound, and what makes their globals known from outside.
//!
//! All that a module's code can change is its memory, its globals, its tables, and whether its passive segments
//! are there. The first two can be put back; modules that contain an instruction which changes one of the others
//! are not rewound.

use wasm_encoder::{ExportKind, ExportSection, Module, RawSection};
use wasmparser::{Export, ExternalKind, GlobalType, Operator, Parser, Payload, ValType};

use crate::limits::REWIND_GLOBALS_MAX;

/// What the names of the exports begin with that are added; a number follows.
const PREFIX: &str = "mesh:rewind:";

/// Returns the name under which the mutable global of this number is exported.
pub(crate) fn name(number: u8) -> String {
    format!("{PREFIX}{number}")
}

/// Returns `wasm` with its mutable globals exported, and how many there are; nothing where an instance of it can't
/// be rewound. It is valid if `wasm` is.
pub(crate) fn exported(wasm: &[u8]) -> Option<(Vec<u8>, u8)> {
    let mut mutable = Vec::new();
    let mut globals = 0_u32;
    let mut has_exports = false;
    let mut module = Module::new();
    for payload in Parser::new(0).parse_all(wasm) {
        let payload = payload.ok()?;
        match &payload {
            // None is offered; an index below counts those that the module defines.
            Payload::ImportSection(_) => {}
            Payload::GlobalSection(section) => {
                for global in section.clone() {
                    let GlobalType { content_type, mutable: changes, .. } = global.ok()?.ty;
                    if changes {
                        is_number(content_type).then_some(())?;
                        mutable.push(globals);
                    }
                    globals += 1;
                }
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                for export in section.clone() {
                    let Export { name, kind, index } = export.ok()?;
                    (!name.starts_with(PREFIX)).then_some(())?;
                    exports.export(name, kind_of(kind)?, index);
                }
                for (number, index) in (0..REWIND_GLOBALS_MAX).zip(&mutable) {
                    exports.export(&name(number), ExportKind::Global, *index);
                }
                has_exports = true;
                module.section(&exports);
                continue;
            }
            Payload::StartSection { .. } => return None,
            Payload::CodeSectionEntry(body) => {
                for operator in body.get_operators_reader().ok()? {
                    (!is_kept_nowhere(&operator.ok()?)).then_some(())?;
                }
            }
            _ => {}
        }
        if let Some((id, range)) = payload.as_section() {
            module.section(&RawSection { id, data: wasm.get(range)? });
        }
    }
    let count = u8::try_from(mutable.len()).ok().filter(|count| *count <= REWIND_GLOBALS_MAX)?;
    has_exports.then(|| (module.finish(), count))
}

fn is_number(ty: ValType) -> bool {
    !matches!(ty, ValType::Ref(_))
}

fn kind_of(kind: ExternalKind) -> Option<ExportKind> {
    match kind {
        ExternalKind::Func => Some(ExportKind::Func),
        ExternalKind::Table => Some(ExportKind::Table),
        ExternalKind::Memory => Some(ExportKind::Memory),
        ExternalKind::Global => Some(ExportKind::Global),
        _ => None,
    }
}

/// Returns whether an instruction changes what is neither memory nor a global.
fn is_kept_nowhere(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableCopy { .. }
            | Operator::TableInit { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported_of(items: &str) -> Option<(Vec<u8>, u8)> {
        let wat = format!(r#"(module (memory (export "memory") 1) {items})"#);
        exported(&wat::parse_str(wat).unwrap())
    }

    #[test]
    fn every_mutable_global_is_exported_and_the_rest_stays_as_it_is() {
        let (wasm, count) = exported_of(
            r#"(global i32 (i32.const 1)) (global $a (mut i64) (i64.const 2))
               (global (export "b") (mut f32) (f32.const 3))
               (data (i32.const 8) "kept") (table funcref (elem 0)) (func (export "f") nop)"#,
        )
        .unwrap();
        assert_eq!(count, 2);
        wasmparser::validate(&wasm).unwrap();
        let mut names = Vec::new();
        for payload in Parser::new(0).parse_all(&wasm) {
            if let Payload::ExportSection(exports) = payload.unwrap() {
                names.extend(exports.into_iter().map(|it| {
                    let export = it.unwrap();
                    (export.name.to_owned(), export.index)
                }));
            }
        }
        let expected = [("memory", 0), ("b", 2), ("f", 0), (&name(0), 1), (&name(1), 2)];
        assert_eq!(names, expected.map(|(name, index)| (name.to_owned(), index)));
        assert!(wasm.windows(4).any(|window| window == b"kept"));
    }

    #[test]
    fn what_cannot_be_put_back_is_not_rewound() {
        for items in [
            "(table $t 1 funcref) (func (table.set $t (i32.const 0) (ref.null func)))",
            "(table $t 1 funcref) (func (drop (table.grow $t (ref.null func) (i32.const 1))))",
            "(table $t 1 funcref) (func (table.fill $t (i32.const 0) (ref.null func) (i32.const 1)))",
            "(table $t 2 funcref) (func (table.copy (i32.const 0) (i32.const 1) (i32.const 1)))",
            "(table 1 funcref) (func $f) (elem $e func $f) (func (table.init $e (i32.const 0) (i32.const 0) (i32.const 1)))",
            "(func $f) (elem $e func $f) (func (elem.drop $e))",
            r#"(data $d "passive") (func (data.drop $d))"#,
            "(global (mut funcref) (ref.null func))",
            "(func $f) (start $f)",
            r#"(func (export "mesh:rewind:0"))"#,
        ] {
            assert_eq!(exported_of(items), None, "{items}");
        }
        assert!(exported_of("").is_some());
        let many = "(global (mut i32) (i32.const 0))".repeat(usize::from(REWIND_GLOBALS_MAX) + 1);
        assert_eq!(exported_of(&many), None);
        assert_eq!(exported(b"no module"), None);
    }
}
