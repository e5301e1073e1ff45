"""A person at a real browser: opens a link from mail, signs in, reads, decides.

Usage: browser.py URL PERSON VERDICT REASON FOLDER
Prints one JSON line {"before": text of the page that shows the call, "after": text after the decision,
"dialogs": alerts that opened, "console": severe messages}; screenshots go to FOLDER.
"""

import json
import pathlib
import shutil
import sys
import tempfile

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

url, person, verdict, reason, folder = sys.argv[1:6]
folder = pathlib.Path(folder)
profile = tempfile.mkdtemp(prefix="browser-")

options = webdriver.ChromeOptions()
options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
for argument in (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1000,1400",
    f"--user-data-dir={profile}",
):
    options.add_argument(argument)
options.set_capability("goog:loggingPrefs", {"browser": "ALL"})

driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
wait = WebDriverWait(driver, 15)


def there(name):
    return driver.find_elements(By.ID, name)


try:
    driver.get(url)
    if there("sign-in"):
        driver.find_element(By.ID, "sign-in").click()
    # The issuer's own page: a name and a button.
    wait.until(lambda page: there("person") or there("decision"))
    if there("person"):
        field = driver.find_element(By.ID, "person")
        field.clear()
        field.send_keys(person)
        driver.save_screenshot(str(folder / "1-sign-in.png"))
        driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    wait.until(lambda page: there("decision"))
    before = driver.find_element(By.TAG_NAME, "body").text
    driver.save_screenshot(str(folder / "2-request.png"))
    driver.find_element(By.ID, "reason").send_keys(reason)
    if there("confirm"):
        driver.find_element(By.ID, "confirm").send_keys(driver.find_element(By.ID, "confirm-name").text)
    driver.find_element(By.ID, verdict).click()
    wait.until(lambda page: there("result"))
    after = driver.find_element(By.TAG_NAME, "body").text
    driver.save_screenshot(str(folder / "3-result.png"))
    # Complaints about the approvers' door; the issuer is somebody else's page.
    origin = "/".join(url.split("/")[:3])
    severe = [
        entry["message"]
        for entry in driver.get_log("browser")
        if entry["level"] == "SEVERE" and entry["message"].startswith(origin) and "favicon" not in entry["message"]
    ]
    print(json.dumps({"before": before, "after": after, "console": severe}))
except Exception:
    driver.save_screenshot(str(folder / "failed.png"))
    print(driver.page_source, file=sys.stderr)
    raise
finally:
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)
