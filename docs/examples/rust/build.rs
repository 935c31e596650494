fn main() -> std::io::Result<()> {
    let proto = "../../../proto";
    tonic_prost_build::configure()
        .build_server(false)
        .compile_protos(&[format!("{proto}/msgbus/v1/msgbus.proto")], &[proto.to_string()])
}
