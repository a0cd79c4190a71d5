//! What can be set about GPUs.

use std::path::PathBuf;

use tepui_containers::Gpus;

use super::flags::paths;

/// What can be set about GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
pub struct GpuOptions {
    /// The numbers of the GPUs that tasks may have, as in `/dev/nvidia0` [default: all]
    #[arg(
        long,
        env = "TEPUI_NVIDIA_GPU_DEVICES",
        value_name = "NUMBER,...",
        value_delimiter = ','
    )]
    pub nvidia_gpu_devices: Vec<u32>,

    /// Folder with the device files of GPUs [default: /dev]
    #[arg(long, env = "TEPUI_GPU_DEVICE_DIR", value_name = "DIR")]
    pub gpu_device_dir: Option<PathBuf>,
}

impl GpuOptions {
    /// The GPUs.
    pub(crate) fn gpus(&self) -> Gpus {
        let usual = Gpus::default();
        let only = self.nvidia_gpu_devices.iter().copied();
        Gpus {
            folder: self.gpu_device_dir.clone().unwrap_or(usual.folder),
            only: (!self.nvidia_gpu_devices.is_empty()).then(|| only.collect()),
        }
    }

    /// Every flag and its value.
    pub(crate) fn flags(&self) -> [(&'static str, String); 2] {
        let numbers = self.nvidia_gpu_devices.iter().map(u32::to_string);
        [
            ("nvidia-gpu-devices", numbers.collect::<Vec<_>>().join(",")),
            ("gpu-device-dir", paths(self.gpu_device_dir.as_slice())),
        ]
    }
}
