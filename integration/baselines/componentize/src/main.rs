//! Makes a component of a core module that tells its world in its sections: `componentize FROM TO`.

use std::error::Error;

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        return Err("componentize FROM TO".into());
    };
    let module = std::fs::read(from)?;
    let component = ComponentEncoder::default().validate(true).module(&module)?.encode()?;
    std::fs::write(to, component)?;
    Ok(())
}
