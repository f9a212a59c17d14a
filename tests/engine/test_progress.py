import os

from pipeline import progress


def test_what_native_code_writes_goes_to_the_log_and_what_we_say_to_the_screen(tmp_path, capfd):
    log = tmp_path / "run.log"
    with progress.native_noise_to(log):
        os.write(2, b"muttered\n")
        progress.say("✓ said [as] it :key: stands")
    os.write(2, b"after\n")
    assert log.read_text() == "muttered\n"
    assert capfd.readouterr().err == "✓ said [as] it :key: stands\nafter\n"
